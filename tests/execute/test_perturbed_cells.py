"""The numbers-changed copy of the test set as a second accuracy of a cell."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute, tiny

from analysis.load.outcomes import Outcomes
from analysis.load.studies import load_studies
from analysis.tables.grids import paper_tables
from rft.execute.facts import _perturbed_facts
from rft.execute.scoring import row_scores
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Record, Score, read_json, read_jsonl
from rft.stages.rows import Graded, Scored

PERTURBED, ORIGINALS = "maj1@1_perturbed", "maj1@1_originals_of_perturbed"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same cells with and without the copy, over one store."""
    folder = tmp_path_factory.mktemp("perturbed")
    common = overrides(folder)
    for method in ("icl", "sft", "self_revise"):
        for name, extra in ((method, ["eval.perturbed_seed=3"]), (f"{method}_plain", [])):
            cfg = composed(*common, f"method={method}", *extra)
            compute(cfg, study=folder / name)
    return folder


def record(study: Path, name: str) -> Record:
    return Record.from_json(read_json(cell_folder(study, name) / "record.json"))


def cell_folder(study: Path, name: str) -> Path:
    (path,) = (study / name).glob("*/record.json")
    return path.parent


@pytest.mark.parametrize("method", ["icl", "sft", "self_revise"])
def test_the_copy_gives_a_second_accuracy_and_leaves_the_first_alone(study: Path, method: str):
    found, plain = record(study, method), record(study, f"{method}_plain")
    assert found.scores["maj1@1"] == plain.scores["maj1@1"]
    assert PERTURBED not in plain.scores
    facts = found.data["perturbed"]
    assert facts["num_problems"] == found.scores[PERTURBED].n == found.scores[ORIGINALS].n
    assert facts["num_problems"] + sum(facts["drop_counts"].values()) == found.scores["maj1@1"].n == 6
    assert facts["num_problems"] > 0


@pytest.mark.parametrize("method", ["icl", "sft", "self_revise"])
def test_outcomes_on_the_copy_stand_beside_those_of_the_originals(study: Path, method: str):
    rows = list(read_jsonl(cell_folder(study, method) / "outcomes.jsonl.gz"))
    copied = [row for row in rows if "perturbed" in row]
    found = record(study, method)
    assert len(copied) == found.scores[PERTURBED].n
    assert all(row["perturbed"]["gold"] != row["gold"] for row in copied)
    hits = [(row["perturbed"]["outcome"] == "C", row["greedy"]["outcome"] == "C") for row in copied]
    assert found.scores[PERTURBED].value == sum(copy for copy, _ in hits) / len(hits)
    assert found.scores[ORIGINALS].value == sum(original for _, original in hits) / len(hits)
    change = sum(copy - original for copy, original in hits) / len(hits)
    assert math.isclose(found.data["perturbed"]["difference"], change)


def test_a_revised_copy_is_shown_a_draft_of_the_copy(study: Path):
    cfg = composed(*overrides(study), "method=self_revise", "eval.perturbed_seed=3")
    cell = plan(cfg, resolve(cfg))
    copied, drafts = cell.read.measured.perturbed, cell.read.trained.drafts
    assert copied is not None
    assert copied.drafts is not None
    assert drafts is not None
    assert copied.problems.kind == "perturb"
    assert copied.drafts.problems == copied.problems != drafts.problems
    assert copied.drafts.weights == drafts.weights


def test_the_copy_changes_no_stage_that_the_cell_has_without_it(study: Path):
    common = overrides(study)
    plain, copied = (composed(*common, "method=rft", *more) for more in ([], ["eval.perturbed_seed=3"]))
    before, after = ({s.key for s in plan(cfg, resolve(cfg)).stages} for cfg in (plain, copied))
    assert before < after


def test_the_table_shows_both_accuracies_and_leaves_the_voted_one_alone(study: Path):
    table = load_studies([study / method for method in ("icl", "sft", "self_revise")])
    grids = paper_tables(table, Outcomes({}, {}))
    header, rows = grids["table_perturbed"].header, grids["table_perturbed"].rows
    assert {row[1] for row in rows} == {"ICL", "SFT", "self-revising"}
    found = record(study, "sft")
    shown = dict(zip(header, next(row for row in rows if row[1] == "SFT"), strict=True))
    assert shown["n"] == str(found.scores[PERTURBED].n)
    assert shown["original numbers"].startswith(f"{100 * found.scores[ORIGINALS].value:.1f} ")
    assert shown["changed numbers"].startswith(f"{100 * found.scores[PERTURBED].value:.1f} ")
    assert shown["difference (95 %)"].startswith(f"{100 * found.data['perturbed']['difference']:+.1f} (")
    assert "table6" not in grids


def test_the_embedded_world_needs_no_copy():
    with pytest.raises(ValueError, match="perturbed_seed=3 is for test sets that a model may have seen"):
        tiny("eval.perturbed_seed=3")


def test_problems_without_a_copy_are_left_out_of_both_accuracies():
    letters = [("C", "W"), ("C", "C"), ("W", "W"), ("C", None)]  # original, copy
    graded = [[Graded("p", "1", letter, None) if letter else None for letter in pair] for pair in letters]
    rows = [Scored(original, copy, None) for original, copy in graded if original is not None]
    scores = row_scores(rows)
    assert scores == {
        "maj1@1": Score.binomial(3, 4), PERTURBED: Score.binomial(1, 3), ORIGINALS: Score.binomial(2, 3)
    }  # fmt: skip
    read: Any = SimpleNamespace(perturbed=SimpleNamespace(problems="the copy"))
    done: Any = SimpleNamespace(facts={"the copy": {"seed": 3}}.__getitem__)
    facts = _perturbed_facts(read, done, rows)["perturbed"]
    assert facts == {"seed": 3, "difference": pytest.approx(-1 / 3), "difference_se": pytest.approx(1 / 3)}
