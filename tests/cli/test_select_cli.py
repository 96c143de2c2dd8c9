"""`python -m rft.select` as a user runs it."""

from __future__ import annotations

import itertools
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
        ([ROWS[0], {**ROWS[1], "gold": "8"}], [], "line 2 has the gold answer '8' and"),
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


PATH = {"id": "q", "gold": "7", "text": "<<3+4=7>>\n#### 7", "draw": 0}
OTHER = {**PATH, "text": "<<4+3=7>>\n#### 7", "draw": 1}


def test_a_human_path_on_any_row_counts_for_its_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [PATH, OTHER, {**PATH, "draw": 2, "human": "so <<3+4=7>>"}, {**PATH, "id": "r", "human": ""}]
    found = {
        json.dumps(run(tmp_path, capsys, list(order), "--count-human", "--stats", "--cap", "1"))
        for order in itertools.permutations(rows)
    }
    (only,) = found
    summary, kept = json.loads(only)
    assert (summary["kept"], summary["duplicate_path"]) == (2, 2)
    assert [(row["id"], row["draw"]) for row in kept] == [("q", 1), ("r", 0)]


def test_no_order_of_lines_changes_a_selection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(1)
    pool = []
    for question, model, number in itertools.product("ab", "xy", range(4)):
        a = rng.randint(1, 6)
        row = {"id": question, "gold": rng.choice(["7", "7.0", "7."]), "model": model, "draw": number}
        row["text"] = f"{'so ' * rng.randint(0, 3)}<<{a}+{7 - a}=7>>\n#### {rng.choice([7, 7, 7, 8])}"
        pool.append(row | ({"human": "<<3+4=7>>"} if rng.random() < 0.2 else {}))
    for options in (
        ["--count-human"],
        ["--policy", "random_per_key"],
        ["--policy", "balanced", "--cap", "1", "--count-human"],
    ):
        whole = run(tmp_path, capsys, pool, "--stats", *options)
        for _ in range(8):
            assert run(tmp_path, capsys, rng.sample(pool, len(pool)), "--stats", *options) == whole


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (({"human": "<<3+4=7>>"}, {"human": "<<4+3=7>>"}), [], "the human path"),
        (({"human": "<<3+4=7>>\n#### 7"}, {"human": "<<3+4=7>>\n#### 8"}), [], "the human path"),
        (({"gold": "7"}, {"gold": "7.0"}), ["--rule", "gsm8k"], "not the same to rule gsm8k"),
        (({"gold": "7"}, {"gold": "8"}), [], "the gold answer"),
    ],
)
def test_rows_that_disagree_of_their_question_are_both_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: tuple[dict[str, Any], dict[str, Any]],
    options: list[str],
    message: str,
) -> None:
    rows = [{**PATH, **changes[0]}, {**PATH, "draw": 2, "id": "z"}, {**OTHER, **changes[1]}]
    for order in (rows, rows[::-1]):
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in order))
        assert select.main([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "kept.jsonl"), *options]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "line 3 has" in error
        assert "line 1 has" in error


def test_a_human_path_in_two_spellings_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**PATH, "human": "<<3+4=7>>\n#### 7"}, {**OTHER, "human": "So << 3 + 4 = 7>>\n#### 7"}]
    summary, _ = run(tmp_path, capsys, rows, "--count-human")
    assert (summary["kept"], summary["duplicate_path"]) == (1, 1)


def test_a_gold_answer_that_the_rule_misreads_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {**PATH, "gold": "1e3", "text": "#### 1"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    assert select.main([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "kept.jsonl")]) == 2
    assert "line 1 cannot be graded: rule paper_select reads '1' from the gold answer '1e3'" in capsys.readouterr().err
    summary, _ = run(tmp_path, capsys, [{**row, "text": "#### 1000"}], "--rule", "answer_line")
    assert summary["kept"] == 1


@pytest.mark.parametrize("given", ["0", "-1", "inf", "nan"])
def test_a_tolerance_that_no_equation_could_meet_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    """Sides must differ by less, so that at 0 every sample had a false equation."""
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert select.main([str(source), "--out", str(tmp_path / "out.jsonl"), f"--tolerance={given}"]) == 2
    assert "must be a finite number above 0" in capsys.readouterr().err
    assert run(tmp_path, capsys, ROWS, "--tolerance=1e-12")[0]["false_equation"] == 1
