"""A data set of the user's own, through `conf/data/svamp.yaml`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from byte_model import write_byte_model
from composing import composed

from rft.config import StudyConfig
from rft.execute.stages import execute
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Problem
from rft.stages.problems import Golds, Leakage, ProblemFile, Problems
from rft.text.answers import grade

TRAIN = [
    {"ID": "1", "Body": "There are 8 cows", "Question": "How many legs?", "Equation": "( 8.0 * 4.0 )", "Answer": 32.0},
    {
        "ID": "2",
        "Body": "Ann has 7 pens.",
        "Question": "How many after 3 more?",
        "Equation": "( 7.0 + 3.0 )",
        "Answer": 10,
    },
]
TEST = [{"Body": "Bob had 9 nuts, ate 2.5.", "Question": "How many left?", "Equation": "( 9.0 - 2.5 )", "Answer": 6.5}]


def svamp(tmp_path: Path, *more: str, train: list[dict[str, Any]] = TRAIN) -> StudyConfig:
    for name, rows in (("train", train), ("test", TEST)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = f"model.path={write_byte_model(tmp_path / 'model')}"
    return composed("data=svamp", "model=smollm2-135m", model, "method=sft", f"store.root={tmp_path}/store", *more)


def read_data(cfg: StudyConfig) -> list[list[Problem]]:
    """Problems of training and test; all that a cell does with its files before a model is touched."""
    cell, store = plan(cfg, resolve(cfg)), Store(Path(cfg.store.root))
    stages = [stage for stage in cell.stages if isinstance(stage, Problems | Leakage | Golds)]
    execute(stages, store=store, runtime=cfg.runtime)
    return [ProblemFile(store.folder(stage.kind, stage.key)).problems() for stage in cell.read.problems]


def test_svamp_rows_become_problems_whose_human_paths_are_graded_right(tmp_path: Path):
    paths = (f"data.train_path={tmp_path}/train.jsonl", f"data.test_path={tmp_path}")  # a file, or its folder
    cfg = svamp(tmp_path, *paths)
    train, test = read_data(cfg)
    assert train[0].question == "There are 8 cows. How many legs?"
    assert [row.solution for row in train] == ["8*4=<<8*4=32>>32\n#### 32", "7+3=<<7+3=10>>10\n#### 10"]
    assert [(row.solution, row.gold) for row in test] == [("9-2.5=<<9-2.5=6.5>>6.5\n#### 6.5", "6.5")]
    assert all(grade(cfg.data.rule, row.solution, row.gold, False).value == "correct" for row in [*train, *test])


def test_the_example_asks_for_its_files(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data\.train_path is not set: give a JSONL file"):
        resolve(svamp(tmp_path))


@pytest.mark.parametrize("num_validation", [0, 2])
def test_a_leaked_question_is_refused_in_other_typography(tmp_path: Path, num_validation: int):
    """In the validation part too, on which epochs are chosen."""
    leaked = {**TEST[0], "Body": "BOB  had 9 nuts, ate 2.5!"}
    paths = [f"data.{split}_path={tmp_path}" for split in ("train", "test")]
    with pytest.raises(ValueError, match="1 of 3 questions of the training file are in the test set"):
        read_data(svamp(tmp_path, *paths, f"data.num_validation={num_validation}", train=[*TRAIN, leaked]))


def test_files_are_compared_before_a_model_is_touched(tmp_path: Path):
    cfg = svamp(tmp_path, *(f"data.{split}_path={tmp_path}" for split in ("train", "test")))
    kinds = [stage.kind for stage in plan(cfg, resolve(cfg)).stages]
    assert kinds.index("leakage") < kinds.index("import")
