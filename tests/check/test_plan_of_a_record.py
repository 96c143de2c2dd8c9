"""A record edited where no score is, with digests made to fit: its stages, costs, names, titles, files are its plan's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny
from synthetic_study import seal_cell

from rft.check.finding import Finding, Verdict
from rft.check.looking import looked_at
from rft.check.planned import planned_findings
from rft.check.verify import Asked, verify
from rft.infra.digest import digest
from rft.records import (
    CELL_CURVE_FILE,
    RECORD_FILE,
    SHOWN_FILE,
    STUDY_FILE,
    Record,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
)

Row = dict[str, Any]


def cell(place: Path, method: str = "rft") -> Path:
    return next((place / "study").glob(f"*_{method}_*"))


def bad(place: Path, row: Row, *, store: bool = True) -> str:
    """What differs from the plan of a record with these values, in the folder of the cell of RFT."""
    found = planned_findings(Record.from_json(row), cell(place), looked_at(str(place / ".store")) if store else None)
    return text_of(list(found))


def text_of(findings: list[Finding]) -> str:
    return "\n".join(f"{one.check}: {one.why}" for one in findings if one.verdict is Verdict.DIFFERS)


def swap_names(row: Row) -> None:
    row["files"] |= {"outcomes": row["files"]["samples"], "samples": row["files"]["outcomes"]}


# (an edit, what is said of it); no store is needed
EDITS: list[tuple[Callable[[Row], object], str]] = [
    (lambda row: row["stages"].pop(), "stages lack vote"),
    (lambda row: row["stages"].append({**row["stages"][0], "key": "0" * 32}), "stages have world_problems 00000000"),
    (lambda row: row["stages"].append(row["stages"][-1]), "or gives once"),
    (lambda row: row["stages"][-1].update(name="evaluate"), "stages lack vote"),
    (lambda row: row["cost"].pop(), "cost lack vote"),
    (lambda row: row["cost"][-1].update(used=0.25), "used is 0.25"),
    (lambda row: row["cost"][-1].update(makes=True), "makes is True"),
    (lambda row: row["cost"][0].update(makes=False), "makes is False"),
    (lambda row: row["names"].update(method="SFT"), "names.method is 'SFT'"),
    (lambda row: row["names"].pop("method"), "names.method is lacking"),
    (lambda row: row["model"].update(post_trained=True), "model.post_trained is True"),
    (lambda row: row["model"].update(family="llama"), "model.family is 'llama'"),
    (lambda row: row["model"].update(base_setting="0" * 32), "model.base_setting is"),
    (lambda row: row["model"].update(base_key="0" * 32), "model.base_key is"),
    (lambda row: row["model"].pop("base_key"), "model.base_key is lacking"),
    (lambda row: row.update(cell_id=row["cell_id"].replace("_rft_", "_sft_")), "it is called nano-xs_sft_"),
    (swap_names, "files.outcomes is 'samples.jsonl'"),
    (lambda row: row["files"].pop("paths"), "files.paths is None"),
]
# Those that only the stages can tell
OF_STAGES: list[tuple[Callable[[Row], object], str]] = [
    (lambda row: row["model"].update(tokenizer="0"), "model.tokenizer is '0'"),
    (lambda row: row["model"].pop("pretrain_loss_nats"), "model.pretrain_loss_nats is lacking"),
    (lambda row: row["data"].update(perturbed={"difference": 0.5}), "data.perturbed is"),
    (lambda row: row["data"].pop("drawn_per_question"), "data.drawn_per_question is lacking"),
    (lambda row: row["data"]["dataset"].update(num_pool=1), "data.dataset is"),
]


def test_a_record_says_what_its_plan_says_without_a_store(place: Path):
    path = cell(place) / RECORD_FILE
    assert not bad(place, read_json(path), store=False)
    for change, said in EDITS:
        row = read_json(path)
        change(row)
        assert said in bad(place, row, store=False), said


def test_a_record_says_what_its_stages_say(place: Path):
    path = cell(place) / RECORD_FILE
    assert not bad(place, read_json(path))
    for change, said in OF_STAGES:
        row = read_json(path)
        change(row)
        assert said in bad(place, row), said


def edit_curve(folder: Path) -> None:
    rows = list(read_jsonl(folder / CELL_CURVE_FILE))
    rows[0]["loss_nats"] /= 2
    write_jsonl(folder / CELL_CURVE_FILE, rows)


def edit_samples(folder: Path) -> None:
    rows = [{**row, "text": "no answer"} for row in read_jsonl(folder / SHOWN_FILE)]
    write_jsonl(folder / SHOWN_FILE, rows)


@pytest.mark.parametrize(("edit", "name"), [(edit_curve, CELL_CURVE_FILE), (edit_samples, SHOWN_FILE)])
def test_a_file_beside_the_record_holds_what_its_stages_give(place: Path, edit: Callable[[Path], None], name: str):
    edit(cell(place))
    assert "files against stages: row 1 is not what its stages give" in bad(place, read_json(cell(place) / RECORD_FILE))
    (cell(place) / name).unlink()
    assert "it is absent" in bad(place, read_json(cell(place) / RECORD_FILE))


def test_stages_of_two_cells_swapped_whole_are_found(place: Path):
    """All that stands on them with them: keys, costs, outcomes."""
    one, other = (read_json(cell(place, method) / RECORD_FILE) for method in ("rft", "sft"))
    row = {**one, **{name: other[name] for name in ("stages", "cost", "scores", "rates", "provenance", "files")}}
    assert "stages lack select" in bad(place, row, store=False)


def test_a_cell_copied_under_the_key_of_one_that_never_ran_is_found(place: Path):
    row = read_json(cell(place) / RECORD_FILE)
    key = row["cell_key"]
    row["seeds"]["train_seed"] += 1
    targets = planned_targets(row)
    row["cell_key"] = digest([targets, row["setting"], row["seeds"]])
    row["cell_id"] = row["cell_id"].replace(key[:8], row["cell_key"][:8])
    assert "stages lack finetune" in bad(place, row)


def planned_targets(row: Row) -> list[str]:
    from rft.execute.cell import plan_cell
    from rft.plan.composing import composed, overrides_of
    from rft.plan.typed import to_study_config

    cfg = to_study_config(composed(overrides_of(Record.from_json(row))))
    return [stage.key for stage in plan_cell(cfg).plan.read.targets]


def test_names_that_only_the_study_can_tell(place: Path):
    """The data's name and the study's rest on no stage: they are those of the other cells, and of the list of cells."""
    path = cell(place) / RECORD_FILE
    write_json(path, {**read_json(path), "study": "other", "names": {**read_json(path)["names"], "data": "gsm8k"}})
    seal_cell(cell(place))
    said = text_of(verify(place / "study", Asked()))
    assert "it is of study 'other', its list of cells of 'test'" in said
    assert "its data are called gsm8k, those of other cells with the same settings world-easy" in said
    manifest = read_json(place / "study" / STUDY_FILE)
    write_json(place / "study" / STUDY_FILE, {**manifest, "study": "other"})
    assert "its list of cells" not in text_of([one for one in verify(place / "study", Asked()) if "rft" in one.place])


def test_a_further_test_set_is_held_to_its_plan_too(place: Path):
    words = ("method=sft", "train_seed=1", "k=2", "temperature=1.5", "eval.vote_k=2", f"store.root={place / '.store'}")
    further = ("eval.sets=[harder]", "+eval_sets.harder.world.max_steps=4", "+eval_sets.harder.eval_problems=8")
    folder, store = compute(tiny(*words, *further), study=place / "study"), looked_at(str(place / ".store"))
    row = read_json(folder / RECORD_FILE)
    found = list(planned_findings(Record.from_json(row), folder, store))
    assert {one.verdict for one in found} == {Verdict.SAME}
    assert {one.place for one in found} > {
        f"{row['cell_id']} on harder",
        f"{row['cell_id']}, {row['sets'][0]['files']['outcomes']}",
    }
    edits: list[tuple[Callable[[Row], object], str]] = [
        (lambda one: one["stages"].pop(), "stages lack"),
        (lambda one: one["cost"][0].update(makes=True), "makes is True"),
        (lambda one: one.update(name="svamp"), "is not that of its name and setting"),
        (lambda one: one["setting"].update({"data.world.max_steps": 3}), "is not that of its name and setting"),
        (lambda one: one["files"].update(samples="curve.jsonl.gz"), "files.samples is 'curve.jsonl.gz'"),
        (lambda one: one["data"]["dataset"].update(num_test=1), "harder.data.dataset is"),
    ]
    for change, said in edits:
        row = read_json(folder / RECORD_FILE)
        change(row["sets"][0])
        assert said in text_of(list(planned_findings(Record.from_json(row), folder, store))), said
