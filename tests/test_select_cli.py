"""`python -m rft.select` as a user runs it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from rft import select

ROWS = [
    {"id": "b", "gold": "7", "text": "<<3+4=7>>\n#### 7", "draw": 0, "model": "x", "note": "kept as it came"},
    {"id": "b", "gold": 7.0, "text": "<<3+4=7>>!\n#### 7", "draw": 1, "model": "x"},
    {"id": "b", "gold": "7", "text": "<<4+3=7>>\n#### 7", "draw": 0, "model": "w"},
    {"id": "b", "gold": "7", "text": "<<4+3=8>>\n#### 7", "draw": 1, "model": "w"},
    {"id": "a", "gold": "1,000", "text": "\ud800<<1,000*1=1000>>\n#### 1,000", "draw": 0, "model": "w"},
    {"id": "a", "gold": "1000", "text": "#### 5", "draw": 1, "model": "w"},
    {"id": "a", "gold": "1000", "text": "no", "draw": 2, "model": "w"},
]


def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Any], *options: str
) -> tuple[dict[str, Any], list[Any]]:
    source, out = tmp_path / "in.jsonl", tmp_path / "kept.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert select.main([str(source), "--out", str(out), *options]) == 0
    return json.loads(capsys.readouterr().out), [json.loads(line) for line in out.read_text().splitlines()]


def test_summary_and_kept_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary, kept = run(tmp_path, capsys, ROWS)
    assert summary == {
        "rows": 7, "questions": 2, "kept": 3, "no_answer": 1, "wrong_answer": 1, "truncated": 0, "false_equation": 1,
        "duplicate_path": 1,
    }  # fmt: skip
    assert [(row["id"], row["model"], row["draw"], row["key"]) for row in kept] == [
        ("a", "w", 0, "1,000*1=1000"),
        ("b", "w", 0, "4+3=7"),
        ("b", "x", 1, "3+4=7"),  # farther from the other path than draw 0
    ]
    assert kept[0] == {**ROWS[4], "key": "1,000*1=1000"}


def test_line_order_is_irrelevant_and_selecting_again_keeps_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tmp_path, capsys, ROWS)
    assert run(tmp_path, capsys, random.Random(0).sample(ROWS, len(ROWS))) == first
    again, kept = run(tmp_path, capsys, first[1])
    assert kept == first[1]
    assert again["kept"] == again["rows"] == 3


def test_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, kept = run(tmp_path, capsys, ROWS, "--models", "x,w")
    assert [(row["id"], row["model"]) for row in kept] == [("a", "w"), ("b", "x"), ("b", "w")]
    summary, kept = run(tmp_path, capsys, ROWS, "--max-draws", "1", "--thin", "2", "--stats")
    assert (summary["kept"], summary["thinned"], summary["over_max_draws"]) == (2, 1, 4)
    assert summary["stats"]["found_by"] == {"w": 2, "x": 1}
    assert summary["stats"]["correct_per_question"] == 1.5
    summary, kept = run(tmp_path, capsys, ROWS, "--policy", "balanced", "--cap", "1")
    assert (summary["kept"], summary["over_cap"]) == (2, 1)
    human = [{**row, "human": "<<4+3=7>>"} for row in ROWS]
    summary, kept = run(tmp_path, capsys, human, "--count-human")
    assert summary["duplicate_path"] == 2
    assert [row["id"] for row in kept] == ["a", "b"]


def test_paper_script_reads_equations_as_python_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary, _kept = run(tmp_path, capsys, ROWS, "--compat", "paper_script")
    assert (summary["kept"], summary["false_equation"]) == (2, 2)  # 1,000*1 is a pair of numbers there


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], [], "holds no row"),
        ([{"id": "a", "gold": "1", "text": ""}], [], "line 1 has the draw None"),
        ([ROWS[0], ROWS[0]], [], "line 2 repeats draw 0 of question 'b', model 'x'"),
        ([ROWS[0], {**ROWS[1], "gold": "8"}], [], "line 2 has gold 8, an earlier row of question 'b' has 7"),
        (ROWS, ["--policy", "papr"], "did you mean paper"),
        (ROWS, ["--models", "x"], "samples of model 'w', which is not listed"),
        (ROWS, ["--compat", "paper_script", "--policy", "no_dedup"], "a policy of its own"),
        (ROWS, ["--cap", "0"], "cap must be at least 1"),
        (ROWS, ["--thin", "9"], "cannot thin 3 paths to 9"),
    ],
)
def test_bad_input_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Any], options: list[str], message: str
) -> None:
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert select.main([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "kept.jsonl"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "kept.jsonl").exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"truncated": "false"}, "has 'false' in the field 'truncated', expected true or false"),
        ({"human": ["#### 7"]}, "has a list in the field 'human'"),
        ({"gold": None}, "has null in the field 'gold'"),
    ],
)
def test_an_odd_field_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: dict[str, Any], message: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({**ROWS[0], **row}) + "\n")
    assert select.main([str(source), "--out", str(tmp_path / "kept.jsonl")]) != 0
    assert f"line 1 {message}" in capsys.readouterr().err


def test_the_input_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(ROWS[0]) + "\n")
    assert select.main([str(source), "--out", str(source)]) != 0
    assert "is the input file" in capsys.readouterr().err
    assert source.read_text() == json.dumps(ROWS[0]) + "\n"
