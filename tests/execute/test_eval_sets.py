"""Several test sets of one cell: each is scored as if it were the cell's own, and comes to a finished cell alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute
from pictures import pictures

from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.query import same_but, where
from analysis.load.studies import load_every_set, load_studies
from analysis.study import Shown, draw_study
from analysis.tables.sets import sets_table
from rft.archive.seals import DIGESTS_FILE
from rft.archive.writing import write_archive
from rft.config import StudyConfig
from rft.infra.holdings import held_stages
from rft.infra.mirror_results import summary_metrics
from rft.infra.store import Store
from rft.infra.study import Study
from rft.plan.cell import plan
from rft.plan.show import plan_text
from rft.plan.sources import resolve
from rft.records import Record, read_json, read_jsonl

SFT = ("method=sft", "eval.vote_k=2")


def write_set(path: Path, *, first: int, count: int, wording: str) -> Path:
    """A test set in GSM8K's form, of its own wording."""
    rows = []
    for number in range(first, first + count):
        a, b = 13 + number, 41 + 2 * number
        question = wording.format(a=a, b=b)
        rows.append({"question": question, "answer": f"{a} + {b} = <<{a}+{b}={a + b}>>{a + b}\n#### {a + b}"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model, the data and two more test sets, one of them with names of its problems in common."""
    folder = tmp_path_factory.mktemp("sets")
    overrides(folder)
    write_set(folder / "pens.jsonl", first=0, count=5, wording="Bo has {a} pens and gets {b} more. How many pens?")
    write_set(folder / "eggs.jsonl", first=30, count=4, wording="A hen lays {a} eggs, a duck {b}. How many eggs?")
    return folder


def cell(place: Path, *sets: str, more: tuple[str, ...] = SFT, **paths: str) -> StudyConfig:
    """One cell with these further test sets, found by their file."""
    given = [f"+eval_sets.{name}.test_path={place / paths.get(name, f'{name}.jsonl')}" for name in sets]
    return composed(*overrides(place), *more, f"eval.sets=[{','.join(sets)}]", *given)


def own(place: Path, name: str) -> StudyConfig:
    """The same model with the set as the cell's own."""
    return composed(*overrides(place), *SFT, f"data.test_path={place / f'{name}.jsonl'}")


def record(folder: Path) -> Record:
    return Record.from_json(read_json(folder / "record.json"))


def keys(cfg: StudyConfig) -> set[str]:
    return {stage.key for stage in plan(cfg, resolve(cfg)).stages}


@pytest.fixture(scope="module")
def both(place: Path) -> Path:
    return compute(cell(place, "pens", "eggs"), study=place / "both")


@pytest.mark.parametrize("name", ["pens", "eggs"])
def test_each_set_is_scored_as_if_it_were_the_cells_own(place: Path, both: Path, name: str):
    alone = compute(own(place, name), study=place / f"own_{name}")
    expected = record(alone)
    (found,) = [one for one in record(both).sets if one.name == name]
    assert found.scores == expected.scores
    assert found.rates == expected.rates
    assert {"maj1@1", "maj1@2", "pass@2"} <= set(found.scores)
    rows = list(read_jsonl(both / found.files["outcomes"]))
    assert rows == list(read_jsonl(alone / "outcomes.jsonl.gz"))
    assert len(rows) == found.scores["maj1@1"].n
    assert found.data["eval_subset"] == expected.data["eval_subset"]


def test_it_is_the_same_stages_by_key(place: Path):
    """So nothing is computed twice when a set is a cell's own elsewhere."""
    with_set, alone = (cfg for cfg in (cell(place, "pens"), own(place, "pens")))
    assert keys(alone) < keys(with_set)


def test_the_order_of_sets_changes_nothing(place: Path, both: Path):
    other = compute(cell(place, "eggs", "pens"), study=place / "turned")
    assert [(one.name, one.key, one.scores) for one in record(other).sets] == [
        (one.name, one.key, one.scores) for one in record(both).sets
    ]


def test_sets_come_to_a_finished_cell_which_stays_as_it_is(place: Path):
    study = place / "grown"
    plain = compute(cell(place), study=study)
    before, outcomes = read_json(plain / "record.json"), (plain / "outcomes.jsonl.gz").read_bytes()
    stamp = (plain / "outcomes.jsonl.gz").stat().st_mtime_ns
    assert before["sets"] == []
    for names in (("pens",), ("eggs",), ()):
        assert compute(cell(place, *names), study=study) == plain
    after = read_json(plain / "record.json")
    assert [one["name"] for one in after["sets"]] == ["eggs", "pens"]
    assert after | {"sets": []} == before
    assert (plain / "outcomes.jsonl.gz").read_bytes() == outcomes
    assert (plain / "outcomes.jsonl.gz").stat().st_mtime_ns == stamp
    assert len(read_json(study / "study.json")["cells"]) == 1


def test_a_record_from_before_sets_is_completed(place: Path):
    study = place / "old"
    plain = compute(cell(place), study=study)
    row = read_json(plain / "record.json")
    del row["sets"]
    (plain / "record.json").write_text(json.dumps(row))
    (plain / DIGESTS_FILE).unlink()  # which came later than sets: with them the record would have been edited
    compute(cell(place, "pens"), study=study)
    after = read_json(plain / "record.json")
    assert [one["name"] for one in after.pop("sets")] == ["pens"]
    assert after == row


def test_another_content_of_one_name_stands_beside_the_first(place: Path, both: Path):
    study = place / "content"
    shutil.copytree(both.parent, study)
    here = compute(cell(place, "pens", pens="eggs.jsonl"), study=study)
    found = [one for one in record(here).sets if one.name == "pens"]
    assert len({one.key for one in found}) == 2
    assert {one.files["outcomes"] for one in found} <= {path.name for path in here.iterdir()}
    points = make_points(load_studies([study], test_set="pens").cells, verified(load_every_set([study]))[1])
    assert len(points) == 2


def test_a_set_costs_its_evaluation_alone(place: Path, both: Path):
    done, after = plan(cell(place), resolve(cell(place))), plan(cell(place, "pens"), resolve(cell(place, "pens")))
    assert (done.cell_key, done.cell_id, done.setting) == (after.cell_key, after.cell_id, after.setting)
    new = [stage.kind for stage in after.stages if stage.key not in {one.key for one in done.stages}]
    assert set(new) == {"file_problems", "golds", "leakage", "evaluate", "shard", "vote"}
    costs = [
        {one.key: one.used for one in record(folder).cost}
        for folder in (both, compute(cell(place), study=place / "cost"))
    ]
    assert costs[0] == costs[1]


def test_a_training_question_in_a_further_set_is_refused(place: Path):
    rows = (place / "data" / "train.jsonl").read_text().splitlines()[:1]
    (place / "leaky.jsonl").write_text(rows[0] + "\n" + (place / "eggs.jsonl").read_text())
    with pytest.raises(ValueError, match=r"test set leaky of eval\.sets: 1 of 12 questions of the training file"):
        resolve(cell(place, "pens", "leaky"))


def test_a_gold_that_the_sets_own_rule_does_not_read_is_refused(place: Path):
    (place / "bad.jsonl").write_text(json.dumps({"question": "How many?", "answer": "He has 3.\n#### 4"}) + "\n")
    cfg = cell(place, "bad", more=("method=sft",))
    cfg.eval_sets["bad"].rule = "last_number"
    sets = plan(cfg, resolve(cfg)).sets
    assert [(one.measured.evaluate.rule, one.measured.evaluate.num_problems) for one in sets] == [("last_number", 1)]
    assert any(guard.kind == "golds" and guard.rule == "last_number" for guard in sets[0].measured.evaluate.guards)  # type: ignore[union-attr]


def test_the_analysis_keeps_sets_apart(place: Path, both: Path):
    folders = [both.parent]
    every, outcomes = verified(load_every_set(folders))
    points = make_points(every.cells, outcomes)
    assert [len(point.cells) for point in points] == [1, 1, 1]
    assert sorted(point.cell.test_set for point in points) == ["eggs", "gsm8k", "pens"]
    assert sorted(point.estimate.num_items for point in points) == [4, 5, 6]
    for point in points:
        assert where(points, test_set=point.cell.test_set) == [point]
        assert same_but(point, points, method="sft") is point  # of no other set
    assert [cell.test_set for cell in load_studies(folders).cells] == ["gsm8k"]
    assert [cell.test_set for cell in load_studies(folders, test_set="pens").cells] == ["pens"]
    with pytest.raises(ValueError, match="no cell was scored on the test set 'pans'; there are gsm8k, eggs, pens"):
        load_studies(folders, test_set="pans")


def test_a_cell_without_the_set_is_missing_from_it_and_said(place: Path, both: Path):
    study = place / "gap"
    shutil.copytree(both.parent, study)
    compute(composed(*overrides(place), "method=icl", "eval.vote_k=2"), study=study)
    table = load_studies([study], test_set="eggs")
    assert len(table.cells) == 1
    assert [gap.reason.partition(":")[0] for gap in table.missing] == ["not scored on eggs"]
    assert not load_studies([study]).missing


def test_a_damaged_set_is_missing_and_the_own_set_stays(place: Path, both: Path):
    study = place / "damaged"
    shutil.copytree(both.parent, study)
    (folder,) = (path.parent for path in study.glob("*/record.json"))
    (one,) = [one for one in record(folder).sets if one.name == "pens"]
    shutil.copyfile(folder / "outcomes.jsonl.gz", folder / one.files["outcomes"])
    table, _ = verified(load_every_set([study]))
    assert sorted(cell.test_set for cell in table.cells) == ["eggs", "gsm8k"]
    assert one.files["outcomes"] in table.missing[0].reason


def test_figures_and_tables_name_the_set(place: Path, both: Path, tmp_path: Path):
    grid = sets_table(*verified(load_every_set([both.parent])))
    header, rows = grid.header, grid.rows
    assert header[-3:] == ("gsm8k", "eggs", "pens")
    assert len(rows) == 1
    with pictures():
        text = draw_study([both.parent], out=tmp_path / "own")
    assert "Test set: gsm8k alone (others, by --test-set: eggs, pens)." in " ".join(text.split())
    with pictures():
        draw_study([both.parent], out=tmp_path / "pens", part=Shown(test_set="pens"))
    claims = (tmp_path / "pens" / "claims.md").read_text()
    assert "Test set: pens alone" in claims
    assert "this study on pens" in claims
    assert (tmp_path / "own" / "table_sets.md").read_text() == (tmp_path / "pens" / "table_sets.md").read_text()


def test_each_set_has_its_names_in_wandb(both: Path):
    metrics, found = summary_metrics(record(both)), record(both)
    assert metrics["eval/maj1@1_n"] == 6
    assert metrics["eval/pens/maj1@1"] == found.sets[1].scores["maj1@1"].value
    assert metrics["eval/eggs/maj1@2_n"] == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["eval.sets=[svmp]"], "names 'svmp', which is no data configuration; did you mean svamp?"),
        (["eval.sets=[svamp]"], r"test set svamp of eval\.sets: eval_sets\.svamp\.test_path is not set"),
        (["eval.sets=[svamp]", "+eval_sets.svmap.rule=gsm8k"], "eval_sets.svmap is set, but .*did you mean svamp"),
        (["eval.sets=[svamp]", "+eval_sets.svamp.tset_path=x"], "eval_sets.svamp: Key 'tset_path' not in 'DataConfig'"),
        (["eval.sets=[svamp]", "eval.split=validation", "data.num_validation=2"], "eval.sets are test sets"),
        (["eval.sets=[svamp]", "+eval_sets.svamp.rule=gsm"], r"eval_sets\.svamp\.rule=gsm is not one of"),
        (["eval.sets=[gsm8k]", "+eval_sets.gsm8k.rule=gsm8k"], "that is the cell's own data set"),
    ],
)
def test_slips_are_told(place: Path, given: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        resolve(composed(*overrides(place), *given))


def test_the_cells_own_set_may_be_listed(place: Path):
    assert composed(*overrides(place), "eval.sets=[gsm8k]").eval_sets == {}


def test_a_file_of_the_users_own_is_a_set(place: Path, tmp_path: Path):
    from hydra import compose, initialize_config_dir

    from rft.conf_path import conf_folder
    from rft.plan.typed import to_study_config

    (tmp_path / "data").mkdir()
    text = f"defaults: [svamp, _self_]\nname: hens\ntest_path: {place / 'eggs.jsonl'}\nrule: last_number\n"
    (tmp_path / "data" / "hens.yaml").write_text(text)
    given = [f"hydra.searchpath=[file://{tmp_path}]", *overrides(place), "eval.sets=[hens]", "study_name=test"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        composed_by_hydra: Any = compose("config", overrides=given, return_hydra_config=True)
    data = to_study_config(composed_by_hydra).eval_sets["hens"]
    assert (data.name, data.rule, data.max_new_tokens) == ("hens", "last_number", 64)


def test_a_set_that_fails_leaves_the_cell_as_it_was_and_is_said(place: Path, monkeypatch: pytest.MonkeyPatch):
    study = place / "failing"
    done = compute(cell(place), study=study)
    before = (done / "record.json").read_bytes()
    write_set(place / "long.jsonl", first=0, count=2, wording="Bo has {a} pens and {b} more" + " word" * 90 + "?")
    with pytest.raises(ValueError, match=r"prompts exceed data\.max_prompt_tokens=256"):  # told before anything runs
        compute(cell(place, "long"), study=study)
    monkeypatch.setattr(
        "rft.execute.cell.check_lengths", lambda cell, sources: None
    )  # as where only a stage can see it
    with pytest.raises(ValueError, match="prompts exceed 256 tokens"):
        compute(cell(place, "long"), study=study)
    assert (done / "record.json").read_bytes() == before
    summary = Study(study, "test").summary_text()
    assert "1 of 1 cells have a record" in summary
    assert "not extended: " in summary
    compute(cell(place, "pens"), study=study)
    assert "not extended: " not in Study(study, "test").summary_text()
    assert [one.name for one in record(done).sets] == ["pens"]


def test_an_archive_holds_every_set(place: Path, both: Path):
    write_archive(both.parent, to=place / "archive")
    live, kept = (verified(load_every_set([folder])) for folder in (both.parent, place / "archive"))
    assert [(one.test_set, one.scores) for one in kept[0].cells] == [
        (one.test_set, one.scores) for one in live[0].cells
    ]
    assert not kept[0].missing
    assert not kept[1].unreadable
    assert len(kept[1].by_path) == 3


@pytest.mark.parametrize("method", ["icl", "rft", "self_revise"])
def test_other_methods_are_scored_on_a_set_as_on_their_own(place: Path, method: str):
    """Keys are enough: equal stages are computed once."""
    more = (f"method={method}", "k=2", "eval.perturbed_seed=1")
    with_set = cell(place, "pens", more=more)
    alone = composed(*overrides(place), *more, f"data.test_path={place / 'pens.jsonl'}")
    (found,) = plan(with_set, resolve(with_set)).sets
    expected = plan(alone, resolve(alone)).read.measured
    assert found.measured.evaluate == expected.evaluate
    assert found.measured.perturbed == expected.perturbed


def test_cleaning_the_store_keeps_the_stages_of_every_set(place: Path, both: Path):
    held = held_stages(Store(place / "store"), [both.parent])
    used = {one.info.key for one in held if one.studies}
    assert {stage["key"] for one in record(both).sets for stage in one.stages} <= used


def test_the_plan_names_sets_and_those_that_are_asked_otherwise(place: Path):
    cfg = cell(place, "pens", "eggs")
    cfg.eval_sets["eggs"].prompt = "alpaca"
    text = plan_text([plan(cfg, resolve(cfg))], store=Store(place / "store"), runtime=cfg.runtime, workers=1)
    assert "test set pens: 5 problems, rule gsm8k, prompt plain\n" in text
    assert "prompt alpaca, NOT the own set's (plain): +eval_sets.eggs.prompt=plain?" in text
