"""Rows that are too long stop a cell while it is planned; lengths are those that its stages would count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rft.execute.cell import plan_cell
from tests.byte_model import overrides
from tests.composing import composed, compute


def planned(keys: list[str], *more: str) -> Any:
    return plan_cell(composed(*keys, *more))


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    """12 training rows, the last one longer; a byte is a token."""
    found = overrides(tmp_path)
    path = tmp_path / "data" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[-1]["answer"] = "It is simple. " * 5 + rows[-1]["answer"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found


def sizes(folder: Path) -> list[tuple[int, int]]:
    """(prompt, example) in bytes, counted by hand: `Question: `, newline, `Answer:`; a space; end of sequence."""
    rows = [json.loads(line) for line in (folder / "data" / "train.jsonl").read_text().splitlines()]
    asked = [len("Question: ") + len(row["question"]) + len("\nAnswer:") for row in rows]
    return [(size, size + 1 + len(row["answer"]) + 1) for size, row in zip(asked, rows, strict=True)]


def test_long_examples_stop_the_plan_and_the_limit_named_is_enough(tmp_path: Path, keys: list[str]) -> None:
    *others, longest = sorted(size for _, size in sizes(tmp_path))
    limit = max(others)
    message = rf"1 of this cell's 12 training examples exceed train.max_tokens={limit} \(the longest has {longest}; "
    with pytest.raises(ValueError, match=message + "1 of all 12 rows do"):
        planned(keys, "method=sft", f"train.max_tokens={limit}")
    compute(planned(keys, "method=sft", f"train.max_tokens={longest}").cfg, study=tmp_path / "study")


@pytest.mark.parametrize("method", ["rft", "sft_matched", "self_query"])
def test_every_method_that_trains_on_the_human_rows_is_stopped(tmp_path: Path, keys: list[str], method: str) -> None:
    limit = sorted(size for _, size in sizes(tmp_path))[-2]
    with pytest.raises(ValueError, match="1 of this cell's 12 training examples exceed"):
        planned(keys, f"method={method}", "k=2", f"train.max_tokens={limit}")


def test_rows_that_a_cell_does_not_read_do_not_stop_it(tmp_path: Path, keys: list[str]) -> None:
    limit = sorted(size for _, size in sizes(tmp_path))[-2]
    stopped = []
    for seed in range(8):
        try:
            planned(keys, "method=sft", f"train.max_tokens={limit}", "data_frac=0.5", f"seed={seed}")
        except ValueError:
            stopped.append(seed)
    assert 0 < len(stopped) < 8
    planned(keys, "method=icl", f"train.max_tokens={limit}")  # trains nothing


def test_long_prompts_stop_the_plan(tmp_path: Path, keys: list[str]) -> None:
    longest = max(size for size, _ in sizes(tmp_path))
    for limit, holds in ((longest - 1, False), (longest, True)):
        more = ("method=rft", "k=2", f"data.max_prompt_tokens={limit}")
        if holds:
            planned(keys, *more)
        else:
            with pytest.raises(
                ValueError, match=rf"prompts exceed data.max_prompt_tokens={limit} .*raise .* to {longest}"
            ):
                planned(keys, *more)


def test_the_context_of_the_model_counts(keys: list[str]) -> None:
    with pytest.raises(ValueError, match=r"data.max_new_tokens=2040 need .*has a context of 2048"):
        planned(keys, "method=sft", "data.max_new_tokens=2040")


def test_every_solution_that_is_an_example_counts(tmp_path: Path, keys: list[str]) -> None:
    """A second solution, longer than all others, stops the plan only where it is trained on."""
    path = tmp_path / "data" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows.append({**rows[0], "answer": "Let us count them slowly. " * 9 + rows[0]["answer"]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    *others, longest = sorted(size for _, size in sizes(tmp_path))
    tight = f"train.max_tokens={max(others)}"
    planned(keys, "method=sft", tight)
    told = rf"1 of this cell's 13 training examples exceed train.max_tokens={max(others)} \(the longest has {longest}; "
    with pytest.raises(ValueError, match=told + "1 of all 13 rows do"):
        planned(keys, "method=sft", "data.solutions=all", tight)
    planned(keys, "method=sft", "data.solutions=all", tight, "data.on_too_long=drop")
    whole = planned(keys, "method=sft", "data.solutions=all", f"train.max_tokens={longest}")
    compute(whole.cfg, study=tmp_path / "study")
