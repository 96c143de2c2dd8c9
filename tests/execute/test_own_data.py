"""Whole cells on data in forms of their own: adapters, mixtures, and answers that are no numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rft.execute.cell import plan_cell
from rft.records import Record, read_json
from rft.stages.problems import FileProblems, Mixture
from tests.byte_model import overrides
from tests.composing import composed, compute

LETTERS = "ABCD"


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    return overrides(tmp_path)


def finished(keys: list[str], *more: str, study: Path) -> Record:
    return Record.from_json(read_json(compute(composed(*keys, *more), study=study) / "record.json"))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_adapter_changes_nothing_but_how_rows_are_written(tmp_path: Path, keys: list[str]) -> None:
    plain = finished(keys, "method=sft", study=tmp_path / "a")
    other = {}
    for split in ("train", "test"):
        rows = rows_of(tmp_path / "data" / f"{split}.jsonl")
        turned = [
            {"m": [{"from": "human", "value": r["question"]}, {"from": "gpt", "value": r["answer"]}]} for r in rows
        ]
        other[split] = write(tmp_path / f"{split}-other.jsonl", turned)
    paths = [f"data.{split}_path={path}" for split, path in other.items()]
    turned_cell = finished(keys, *paths, "++data.adapter={messages:m}", "method=sft", study=tmp_path / "b")
    assert turned_cell.scores == plain.scores
    assert turned_cell.data["num_human"] == plain.data["num_human"] == 12
    assert turned_cell.setting["data.adapter.messages"] == "m"
    assert not [key for key in plain.setting if "adapter" in key]


def test_files_together_are_one_file(tmp_path: Path, keys: list[str]) -> None:
    rows = rows_of(tmp_path / "data" / "train.jsonl")
    one, two = write(tmp_path / "one.jsonl", rows[:5]), write(tmp_path / "two.jsonl", rows[5:])
    whole = finished(keys, "method=sft", study=tmp_path / "a")
    parts = finished(keys, "method=sft", f"++data.train_mix=[{{path:{one}}},{{path:{two}}}]", study=tmp_path / "b")
    assert parts.scores == whole.scores
    assert [row.get("weights") for row in parts.stages if row["name"] == "finetune"] == [
        row.get("weights") for row in whole.stages if row["name"] == "finetune"
    ]


def test_a_weighted_mixture_is_planned_as_it_is_made(tmp_path: Path, keys: list[str]) -> None:
    rows = rows_of(tmp_path / "data" / "train.jsonl")
    one, two = write(tmp_path / "one.jsonl", rows[:8]), write(tmp_path / "two.jsonl", rows[8:])
    mix = f"++data.train_mix=[{{path:{one},weight:1}},{{path:{two},weight:2}}]"
    record = finished(keys, "method=sft", mix, study=tmp_path / "a")
    assert record.data["num_human"] == 6  # all four of the second, two of the first
    assert record.data["dataset"]["dropped_rows"]["train"] == {"over_weight": 6}
    cell = plan_cell(composed(*keys, "method=sft", mix)).plan
    (stage,) = (one for one in cell.stages if isinstance(one, Mixture))
    moved = [write(tmp_path / f"moved-{path.name}", rows_of(path)) for path in (one, two)]
    again = mix.replace(str(one), str(moved[0])).replace(str(two), str(moved[1]))
    assert plan_cell(composed(*keys, "method=sft", again)).plan.cell_key == cell.cell_key
    assert len([one for one in stage.inputs if isinstance(one, FileProblems)]) == 2


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ("[{path:X,weight:1},{path:X}]", "give each file a weight, or none"),
        ("[{path:X,weight:-1},{path:X,weight:1}]", "weights must be above 0"),
        ("[{path:X},{path:X}]", "and so has"),
        ("[{path:X,adapter:{question:q}}]", "needs question and solution, or messages alone"),
        ("[{path:nowhere.jsonl}]", "no such file"),
    ],
)
def test_a_mixture_that_cannot_work_is_refused(tmp_path: Path, keys: list[str], mix: str, message: str) -> None:
    path = tmp_path / "data" / "train.jsonl"
    with pytest.raises(ValueError, match=message):
        plan_cell(composed(*keys, "method=sft", f"++data.train_mix={mix.replace('X', str(path))}"))


@pytest.mark.parametrize(
    "adapter", ["{question:q}", "{messages:m,question:q,solution:s}", "{question:'a..b',solution:s}"]
)
def test_an_adapter_that_cannot_work_is_refused(keys: list[str], adapter: str) -> None:
    with pytest.raises(ValueError, match=r"data.adapter.*(needs question and solution|is no path)"):
        composed(*keys, "method=sft", f"++data.adapter={adapter}")


def test_letters_are_trained_drawn_kept_and_voted_on(tmp_path: Path, keys: list[str]) -> None:
    def row(number: int) -> dict[str, str]:
        letter = LETTERS[number % 4]
        return {"question": f"Which letter has place {number}?", "answer": f"It is the one.\n#### {letter}"}

    train = write(tmp_path / "train.jsonl", [row(number) for number in range(12)])
    test = write(tmp_path / "test.jsonl", [row(number) for number in range(20, 26)])
    record = finished(
        keys, f"data.train_path={train}", f"data.test_path={test}", "data.rule=choice", "select.equations=text",
        "method=rft", "k=2", "eval.vote_k=2", study=tmp_path / "a",
    )  # fmt: skip
    assert record.data["num_human"] == 12
    assert "maj1@2" in record.scores
    numbers = composed(*keys, f"data.train_path={train}", f"data.test_path={test}", "method=sft")
    with pytest.raises(ValueError, match=r"holds no problem: line 1 has no parsable gold answer: got 'A'"):
        plan_cell(numbers)


def test_the_layout_of_math_is_read(tmp_path: Path, keys: list[str]) -> None:
    pytest.importorskip("math_verify")
    for split, first, last in (("train", 0, 8), ("test", 8, 12)):
        for number in range(first, last):
            folder = tmp_path / "MATH" / split / ("algebra" if number % 2 else "geometry")
            folder.mkdir(parents=True, exist_ok=True)
            row = {
                "problem": f"What is half of ${number}$?", "level": "Level 1", "type": "Algebra",
                "solution": rf"It is $\boxed{{\frac{{{number}}}{{2}}}}$.",
            }  # fmt: skip
            (folder / f"{number}.json").write_text(json.dumps(row))
    root = tmp_path / "MATH"
    more = ("data=math", f"data.train_path='{root}/train/*/*.json'", f"data.test_path='{root}/test/*/*.json'")
    record = finished([*keys, *more], "data.prompt=plain", "method=sft", study=tmp_path / "a")
    assert record.data["num_human"] == 8
    assert record.scores["maj1@1"].n == 4


@pytest.mark.parametrize("more", [("eval.perturbed_seed=1",), ("method=self_query",)])
def test_what_needs_numbers_is_refused_under_other_rules(keys: list[str], more: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"data\.rule=choice"):
        composed(*keys, "data.rule=choice", *more)
