"""`python -m rft.grade` as a user runs it."""

from __future__ import annotations

import itertools
import json
import math
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rft import grade

ROWS = [
    {"id": "a", "gold": "72", "text": "so\n#### 72", "label": True},
    {"id": "b", "gold": 18, "text": "so\n#### 17", "label": True},
    {"id": "c", "gold": "1,450", "text": "so\nA: 1450", "label": True},
    {"id": "d", "gold": "5", "text": "\ud800 so", "label": False},
]


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_summary_and_outcomes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "outcomes.jsonl"
    assert grade.main(["--rule", "gsm8k", str(write(tmp_path / "a.jsonl", *ROWS)), "--per-item", str(out)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == {
        "n": 4, "correct": 1, "no_answer": 2, "accuracy": 0.25, "se": pytest.approx(0.2165, abs=1e-4),
        "agree": 2, "disagree": 2,
    }  # fmt: skip
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"id": "a", "outcome": "correct", "answer": "72"},
        {"id": "b", "outcome": "wrong", "answer": "17"},
        {"id": "c", "outcome": "no_answer", "answer": None},
        {"id": "d", "outcome": "no_answer", "answer": None},
    ]


def test_standard_input_in_a_fresh_process_without_heavy_imports(tmp_path: Path) -> None:
    code = "import sys, rft.grade; c = rft.grade.main(['-', '--rule', 'answer_line']); "
    code += "assert 'torch' not in sys.modules; sys.exit(c)"
    rows = "\n".join(json.dumps({k: row[k] for k in ("id", "gold", "text")}) for row in ROWS)
    done = subprocess.run([sys.executable, "-c", code], input=rows, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"n": 4, "correct": 2, "no_answer": 1, "accuracy": 0.5, "se": 0.25}


def test_matrix_over_a_study_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for cell in ("0", "1"):
        (tmp_path / cell).mkdir()
        write(tmp_path / cell / "samples.jsonl", *ROWS)
    assert grade.main(["--matrix", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n"] == 8
    assert result["correct"]["gsm8k"] == 2
    assert result["correct"]["answer_line"] == 4
    assert result["disagree"]["gsm8k"]["answer_line"] == result["disagree"]["answer_line"]["gsm8k"] == 2
    assert result["disagree"]["gsm8k"]["gsm8k"] == result["disagree"]["gsm8k"]["paper"] == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows to grade"),
        ([ROWS[0], "{"], "line 2 is not JSON"),
        (["[" * 100_000], "line 1 is not JSON"),
        ([{"id": "a", "gold": "1"}], "line 1 lacks the field 'text'"),
        ([{"id": "a", "gold": "one", "text": ""}], "line 1 has no parsable gold answer: got 'one'"),
        ([{**ROWS[0], "label": "yes"}], "line 1 has the label 'yes', expected true or false"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Any], message: str) -> None:
    assert grade.main([str(write(tmp_path / "bad.jsonl", *rows))]) == 2
    assert message in capsys.readouterr().err
    assert grade.main([str(tmp_path / "none.jsonl")]) == 2
    assert "no file" in capsys.readouterr().err
    assert grade.main(["--rule", "gsm", str(write(tmp_path / "a.jsonl", *ROWS))]) == 2
    assert "did you mean gsm8k" in capsys.readouterr().err


@pytest.mark.parametrize("rows", [[ROWS[0], "{"], []])
def test_bad_input_leaves_the_outcomes_of_before(tmp_path: Path, rows: list[Any]) -> None:
    bad, out = write(tmp_path / "bad.jsonl", *rows), tmp_path / "out" / "outcomes.jsonl"
    out.parent.mkdir()
    assert grade.main([str(bad), "--per-item", str(out)]) == 2
    assert list(out.parent.iterdir()) == []
    out.write_text("of before")
    assert grade.main([str(bad), "--per-item", str(out)]) == 2
    assert [path.read_text() for path in out.parent.iterdir()] == ["of before"]


def test_outcomes_may_go_to_a_stream_and_through_a_link(tmp_path: Path) -> None:
    source = str(write(tmp_path / "a.jsonl", ROWS[0]))
    command = [sys.executable, "-m", "rft.grade", source, "--per-item", "/dev/stdout"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(grade.__file__).parents[1])
    assert [json.loads(line).get("outcome") for line in done.stdout.splitlines()] == ["correct", None]
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert grade.main([source, "--per-item", str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert '"correct"' in (tmp_path / "target").read_text()


def test_published_labels(gsm8k_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    lines = (gsm8k_dir / "example_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    for number, row in enumerate(map(json.loads, lines)):
        gold = row["ground_truth"].rsplit("A:", 1)[1].strip()
        models = [name for name, value in row.items() if isinstance(value, dict)]
        for name in models:
            solution = row[name]
            rows.append(
                {"id": f"{number}-{name}", "gold": gold, "text": solution["solution"], "label": solution["is_correct"]}
            )
    assert grade.main([str(write(tmp_path / "all.jsonl", *rows)), "--rule", "answer_line"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["n"], result["correct"], result["agree"], result["disagree"]) == (5276, 2001, 5276, 0)


def summary(tmp_path: Path, rows: list[dict[str, Any]], rule: str = "gsm8k") -> dict[str, Any]:
    return grade.grade_items(grade.read_items(str(write(tmp_path / "rows.jsonl", *rows))), rule=rule)


def draw(name: str, number: int, *, right: bool, **more: Any) -> dict[str, Any]:
    return {"id": name, "gold": "7", "text": f"#### {7 if right else 8}", "draw": number, **more}


def test_the_error_of_accuracy_is_over_problems(tmp_path: Path) -> None:
    """Copying every draw changes neither accuracy nor its error: copies of a problem's draws are no further problems."""
    rng = random.Random(0)
    rights = {f"q{i}": [rng.random() < 0.1 * i for _ in range(3)] for i in range(9)}
    rows = [draw(name, i, right=right) for name, own in rights.items() for i, right in enumerate(own)]
    found = summary(tmp_path, rows)
    shares = [sum(own) / 3 for own in rights.values()]
    assert (found["n"], found["problems"], found["correct"]) == (27, 9, sum(map(sum, rights.values())))
    assert (found["accuracy"], found["pass@1"]) == (pytest.approx(statistics.mean(shares)),) * 2
    assert found["se"] == pytest.approx(statistics.stdev(shares) / math.sqrt(9))
    doubled = summary(tmp_path, [*rows, *({**row, "draw": row["draw"] + 3} for row in rows)])
    assert (doubled["accuracy"], doubled["se"]) == (pytest.approx(found["accuracy"]), pytest.approx(found["se"]))


def test_problems_count_alike_whatever_their_number_of_draws(tmp_path: Path) -> None:
    rows = [draw("a", i, right=True) for i in range(9)] + [draw("b", 0, right=False)]
    found = summary(tmp_path, rows)
    assert (found["n"], found["problems"], found["accuracy"], found["se"]) == (10, 2, 0.5, 0.5)
    assert "pass@1" not in found
    assert summary(tmp_path, rows[:9])["se"] is None, "one problem tells nothing of others"


def test_the_greedy_answer_is_no_draw(tmp_path: Path) -> None:
    draws = [draw("a", 0, right=True), draw("a", 1, right=False), draw("b", 0, right=False), draw("b", 1, right=False)]
    greedy = [draw("a", -1, right=True), draw("b", -1, right=True)]
    alone, single = summary(tmp_path, draws), summary(tmp_path, greedy)
    assert alone["maj1@2"] == 0.25
    assert set(single) == {"n", "correct", "no_answer", "accuracy", "se"}
    assert single["accuracy"] == 1.0
    for order in itertools.permutations([*draws, *greedy], 6):
        assert summary(tmp_path, list(order)) == alone | {"greedy": single}


@pytest.mark.parametrize(
    ("rows", "messages"),
    [
        ([draw("a", 0, right=True)] * 2, ["line 2 is draw 0 of problem 'a', as", "line 1 is"]),
        (
            [{**ROWS[0], "text": "#### 5"}, ROWS[0]],
            ["line 2 is an answer of problem 'a', as", "line 1 is", "with 'draw'"],
        ),
        (
            [draw("a", 0, right=True, model="A"), draw("b", 0, right=True), draw("a", 0, right=False, model="B")],
            ["line 2 is of model ''", "line 1 of 'A'"],
        ),
        (
            [draw("a", 0, right=True), {**draw("a", 1, right=True), "gold": "8"}],
            ["line 2 has the gold answer '8'", "line 1"],
        ),
        ([draw("a", 0, right=True), {**draw("a", 1, right=True), "gold": "7.0"}], ["not the same to rule gsm8k"]),
        (
            [draw("a", 0, right=True), {**ROWS[0], "id": "b", "gold": "1e3"}],
            ["line 2 cannot be graded: rule gsm8k reads '1'"],
        ),
        ([draw("a", -2, right=True)], ["line 1 has the draw -2"]),
        ([{**ROWS[0], "draw": "0"}], ["line 1 has the draw '0', expected a whole number"]),
    ],
)
def test_what_is_not_one_models_answers_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Any], messages: list[str]
) -> None:
    assert grade.main([str(write(tmp_path / "bad.jsonl", *rows))]) == 2
    error = capsys.readouterr().err
    assert all(message in error for message in messages), error


def test_refusals_do_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    good = [draw("a", i, right=bool(i % 2)) for i in range(3)]
    for bad in (good[1], {**draw("a", 3, right=True), "gold": "9"}, draw("b", 0, right=True, model="B")):
        for order in itertools.permutations([*good, bad]):
            with pytest.raises(ValueError, match=r"line \d.*line \d"):
                summary(tmp_path, list(order))


def test_golds_that_are_one_number_to_the_rule_are_one(tmp_path: Path) -> None:
    rows = [
        draw("a", 0, right=True),
        {**draw("a", 1, right=True), "gold": 7},
        {**draw("a", 2, right=True), "gold": " 7"},
    ]
    assert summary(tmp_path, rows)["correct"] == 3
    assert summary(tmp_path, [rows[0], {**rows[1], "gold": "7.0"}], "answer_line")["correct"] == 2


def test_a_study_folder_is_for_the_matrix_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "samples.jsonl", *ROWS)
    assert grade.main([str(tmp_path)]) == 2
    assert "give one file, or --matrix" in capsys.readouterr().err
    write(tmp_path / "samples.jsonl", {**ROWS[0], "gold": "1e3"})
    assert grade.main(["--matrix", str(tmp_path)]) == 2
    assert "line 1 cannot be graded: rule gsm8k reads '1'" in capsys.readouterr().err
