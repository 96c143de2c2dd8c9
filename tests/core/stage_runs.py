"""One stage run alone on folders that a test wrote: no store, no plan.

run(Loss(base=base, ...), {base: folder}, out)         # base = Import(content="any", path="")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.stages.finetune import Finetune, Recipe
from rft.stages.imported import Import
from rft.stages.problems import Subset
from rft.stages.stage import Done, Stage
from rft.stages.trainset import HUMAN, Example, HumanSet, write_examples
from rft.stages.weights import ModelFacts
from tests.lone_stage import run_stage

BASE = Import(content="a model", path="")
TRAINSET = HumanSet(subset=Subset(source=Import(content="problems", path=""), num_problems=8, seed=0))
RECIPE = {"epochs": 3.0, "batch_size": 4, "lr": 1e-3, "warmup_frac": 0.0, "schedule": "constant", "weight_decay": 0.0,
          "grad_clip": 1.0, "max_tokens": 400}  # fmt: skip


def run(stage: Stage[Any], folders: Mapping[Stage[Any], Path], out: Path, *, micro_batch_tokens: int = 8192) -> Done:
    """The stage's own function on finished inputs."""
    return run_stage(stage, out=out, inputs=folders, runtime=(f"runtime.micro_batch_tokens={micro_batch_tokens}",))


def saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    """A base's folder with its counts."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    ModelFacts.of(model).write(folder)
    return folder


def finetune(
    model_folder: Path, out: Path, *, solutions: list[str], micro_batch_tokens: int = 8192, lora: Any = None
) -> Done:
    """SFT on one question with these solutions."""
    examples = out / "examples"
    examples.mkdir(parents=True)
    write_examples([Example(str(i), f"What is {i}?", text, HUMAN) for i, text in enumerate(solutions)], examples)
    stage = Finetune(base=BASE, trainset=TRAINSET, recipe=Recipe(**RECIPE, lora=lora), seed=0, prompt="plain")
    folders = {BASE: model_folder, TRAINSET: examples}
    return run(stage, folders, out / "out", micro_batch_tokens=micro_batch_tokens)
