"""Readers of problem files: the real splits, the adapters, and a clear message for each kind of bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rft.text import gsm8k

GOOD = {"question": "Ann buys 3 bags of 17 nails. How many?", "answer": "3*17=<<3*17=51>>51\n#### 51"}
OTHER = {"question": "Bob has 2 cats. How many paws?", "answer": "2*4=<<2*4=8>>8\n#### 1,008"}


def write(path: Path, *rows: Any) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def test_rows_become_problems(tmp_path: Path) -> None:
    first, second = gsm8k.read_problems(write(tmp_path / "a.jsonl", GOOD, "", OTHER))
    assert (first.question, first.solution, first.gold) == (GOOD["question"], GOOD["answer"], "51")
    assert second.gold == "1,008", "as it is written: some rules compare text"
    assert first.id == gsm8k.question_id(" ann buys  3 bags of 17 nails. how many? ") != second.id
    assert first.id == "g-ec9274377bc2"  # a new value would orphan every stored pool
    assert gsm8k.read_problems(tmp_path / "a.jsonl", limit=1) == [first]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no problem"),
        ([GOOD, "{not json"], "line 2 is not JSON"),
        ([GOOD, "[1]"], "line 2 is a JSON list"),
        ([{"question": "How many?"}], "line 1 lacks the field 'answer'"),
        ([GOOD, {"answer": "#### 3"}], "line 2 lacks the field 'question'"),
        ([GOOD, {"question": ["How"], "answer": "#### 3"}], "line 2 has a list in the field 'question'"),
        ([GOOD, "", OTHER, GOOD], "line 4 repeats the problem of line 1"),
        ([GOOD, {"question": "How many?", "answer": "seven"}], "line 2 has no parsable gold answer"),
        ([GOOD, {"question": "How many?", "answer": "#### seven"}], "line 2 has no parsable gold answer: got 'seven'"),
        ([{"question": " ", "answer": "#### 1"}], "line 1 has an empty question"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match="bad.jsonl.*" + message.replace("[", r"\[")):
        gsm8k.read_problems(write(tmp_path / "bad.jsonl", *rows))


def test_missing_file_bad_bytes_and_adapter(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no file .*none.jsonl"):
        gsm8k.read_problems(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "caf\xe9"}\n')
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        gsm8k.read_problems(tmp_path / "latin.jsonl")
    with pytest.raises(ValueError, match="unknown data adapter 'mine'; allowed are gsm8k, triple, svamp"):
        gsm8k.read_problems(write(tmp_path / "a.jsonl", GOOD), adapter="mine")


def test_other_forms(tmp_path: Path) -> None:
    svamp = {
        "ID": "x",
        "Body": "Ann has 8 cows",
        "Question": "How many legs?",
        "Equation": "( 8.0 * 4.0 )",
        "Answer": 32.0,
    }
    triple = {"question": "How many?", "solution": "3 + 4 = 7", "gold": 7}
    (cows,) = gsm8k.read_problems(write(tmp_path / "svamp.jsonl", svamp))
    assert (cows.question, cows.gold) == ("Ann has 8 cows. How many legs?", "32")
    assert cows.solution == "8*4=<<8*4=32>>32\n#### 32"
    (seven,) = gsm8k.read_problems(write(tmp_path / "triple.jsonl", triple))
    assert (seven.solution, seven.gold) == ("3 + 4 = 7\n#### 7", "7")
    own = gsm8k.read_problems(
        write(tmp_path / "own.jsonl", {"q": "Why?", "a": 1}), adapter=lambda r: (r["q"], "", str(r["a"]))
    )
    assert own[0].gold == "1"


def test_the_published_splits(gsm8k_dir: Path) -> None:
    train, test = (gsm8k.read_problems(gsm8k_dir / f"{split}.jsonl") for split in ("train", "test"))
    assert gsm8k.release_status(train, split="train").status == "exact"
    assert gsm8k.release_status(test, split="test").status == "exact"
    assert gsm8k.release_status(train[:-1], split="train").status == "other_rows"
    assert gsm8k.release_status(train[::-1], split="train").status == "other_content"
    assert len({problem.id for problem in train + test}) == 7_473 + 1_319
