"""`python -m rft.grade` as a user runs it."""

from __future__ import annotations

import json
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
