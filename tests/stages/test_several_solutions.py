"""A training file with several solutions to a question: legal human data, of which a study takes the first or all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides, write_problems
from composing import composed, compute

from rft.config import StudyConfig
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Problem, Record, Sample, read_json, read_jsonl
from rft.text.gsm8k import problems_of
from rft.text.selection import policy_named, select

FIRST = {"question": "Half of 48?", "answer": "48/2=<<48/2=24>>24\n#### 24"}
SECOND = {"question": "Half of  48?", "answer": "24+24=<<24+24=48>>48, so 24\n#### 24"}
OTHER = {"question": "One and one?", "answer": "1+1=<<1+1=2>>2\n#### 2"}


def read(*rows: dict[str, Any], solutions: str | None, drop: bool = False) -> Any:
    placed = ((f"line {number}", row) for number, row in enumerate(rows, start=1))
    return problems_of(placed, name="f", rule="gsm8k", solutions=solutions, drop_duplicates=drop)


def test_all_are_kept_in_their_order_or_the_first_and_the_rest_counted():
    rows = (FIRST, OTHER, SECOND)
    kept = read(*rows, solutions="all")
    assert [p.solutions for p in kept.problems] == [(FIRST["answer"], SECOND["answer"]), (OTHER["answer"],)]
    assert kept.dropped == {}
    first = read(*rows, solutions="first")
    assert [p.solutions for p in first.problems] == [(FIRST["answer"],), (OTHER["answer"],)]
    assert first.dropped == {"further_solution": 1}


@pytest.mark.parametrize("solutions", ["first", "all"])
def test_equal_rows_stay_duplicates_and_another_answer_is_a_fault(solutions: str):
    spaced = {**FIRST, "answer": FIRST["answer"].replace("\n", " \n")}
    with pytest.raises(ValueError, match="line 2 repeats the problem of line 1"):
        read(FIRST, spaced, solutions=solutions)
    wrong = {**FIRST, "answer": "48/3=<<48/3=16>>16\n#### 16"}
    with pytest.raises(ValueError, match="line 2 gives another answer to the problem of line 1"):
        read(FIRST, wrong, solutions=solutions)
    assert read(FIRST, wrong, spaced, solutions=solutions, drop=True).dropped == {"duplicate": 2}
    with pytest.raises(ValueError, match="line 3 repeats the problem of line 1"):
        read(FIRST, SECOND, SECOND, solutions=solutions)
    found = read(FIRST, SECOND, SECOND, FIRST, solutions=solutions, drop=True).dropped
    assert found == {"duplicate": 2} | ({"further_solution": 1} if solutions == "first" else {})


def test_in_a_test_file_a_question_occurs_once():
    with pytest.raises(ValueError, match="line 2 repeats the problem of line 1"):
        read(FIRST, SECOND, solutions=None)


def test_a_problem_with_one_solution_is_written_as_ever():
    (one,) = read(FIRST, solutions="all").problems
    assert one.to_json().keys() == {"id", "question", "solution", "gold", "spec"}
    (two,) = read(FIRST, SECOND, solutions="all").problems
    assert Problem.from_json(json.loads(json.dumps(two.to_json()))) == two


def test_every_human_path_counts_as_human_in_the_selection():
    (two,) = read(FIRST, SECOND, solutions="all").problems
    samples = [Sample(two.id, draw, text, False, 9, "m") for draw, text in enumerate(two.solutions)]
    policy = policy_named("paper", count_human=True)
    assert select(samples, [two], policy=policy).kept == []
    assert len(select(samples, [dataclasses.replace(two, more=())], policy=policy).kept) == 1
    assert select(samples, [two], policy=policy).stats.distinct_per_question_with_human == 2


def cell(folder: Path, *more: str) -> StudyConfig:
    return composed(*overrides(folder), "method=sft", *more)


def test_a_cell_trains_on_all_of_them_and_its_default_is_what_it_was(tmp_path: Path):
    cells = {how: cell(tmp_path, f"data.solutions={how}") for how in ("first", "all")}
    path = write_problems(tmp_path / "data") / "train.jsonl"
    rows = list(read_jsonl(path))
    plain = plan(cells["first"], resolve(cells["first"]))
    assert "data.solutions" not in plain.setting
    again = {**rows[0], "answer": rows[0]["answer"].replace(" nails.", " nails, all told.")}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, again]))
    counts = {}
    for how, cfg in cells.items():
        record = Record.from_json(read_json(compute(cfg, study=tmp_path / "study") / "record.json"))
        counts[how] = record.data["num_human"]
        dropped = record.data["dataset"]["dropped_rows"].get("train")
        assert dropped == ({"further_solution": 1} if how == "first" else {})
    assert counts == {"first": len(rows), "all": len(rows) + 1}
