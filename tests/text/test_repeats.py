"""A repeated question is found as a leaked one is: in other typography too, so that no split of a file leaks into another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rft.text.gsm8k import problems_of, read_problems
from rft.text.overlap import Asked, overlaps
from rft.text.subsets import split

QUESTIONS = [f"Ann has {n} nails, and buys {n + 1} more. How many?" for n in range(40)]


def rows(questions: list[str]) -> list[tuple[str, dict[str, str]]]:
    return [(f"line {i}", {"question": q, "answer": "#### 1"}) for i, q in enumerate(questions, start=1)]


def other_typography(question: str) -> str:
    return question.replace(".", ",").replace("?", " ?!").upper()


def test_a_repeat_in_other_typography_is_named_and_dropped():
    both = rows([*QUESTIONS, *map(other_typography, QUESTIONS)])
    with pytest.raises(ValueError, match="line 41 repeats the problem of line 1"):
        problems_of(both, name="file")
    read = problems_of(both, name="file", drop_duplicates=True)
    assert len(read.problems) == 40
    assert read.dropped == {"duplicate": 40}


def test_no_part_of_a_file_leaks_into_its_validation_part(tmp_path: Path):
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for _, row in rows(QUESTIONS)))
    by_id = {problem.id: problem.question for problem in read_problems(path)}
    kept, held = split(list(by_id), size=10)
    assert overlaps(*([Asked(by_id[name], None) for name in part] for part in (kept, held))) == []
