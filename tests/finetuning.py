"""The finetune stage alone, on a tiny Llama and toy examples, for tests of what it writes.

done, curve = finetuned(tmp_path, lora=Lora(rank=4, alpha=8))       # the folder is tmp_path / "out"
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rft.core.model import save_model
from rft.records import CURVE_FILE, read_jsonl
from rft.stages.finetune import Finetune, Recipe
from rft.stages.stage import Done
from rft.stages.trainset import HUMAN, Example, write_examples
from rft.stages.weights import ModelFacts
from tests.core_tiny import tiny_llama, tiny_tokenizer, toy_pairs
from tests.lone_stage import given_examples, given_weights, run_stage

RECIPE = Recipe(
    epochs=4,
    batch_size=8,
    lr=3e-3,
    warmup_frac=0.1,
    schedule="cosine",
    weight_decay=0.0,
    grad_clip=1.0,
    max_tokens=64,
)
NUM_EXAMPLES = 32


def write_base(folder: Path, *, model: Any = None, tokenizer: Any = None) -> Path:
    """A base model's folder with its facts; by default a tiny Llama."""
    model = tiny_llama() if model is None else model
    folder.mkdir(parents=True)
    save_model(model, tokenizer or tiny_tokenizer(), folder)
    ModelFacts.of(model).write(folder)
    return folder


def write_trainset(folder: Path) -> Path:
    """Toy problems as a stage of examples writes them."""
    folder.mkdir()
    pairs = toy_pairs(NUM_EXAMPLES, seed=3)
    rows = [Example(str(i), asked.text, answer, HUMAN) for i, (asked, answer) in enumerate(pairs)]
    write_examples(rows, folder)
    return folder


def finetuned(
    folder: Path,
    *,
    base: Path | None = None,
    seed: int = 0,
    runtime: tuple[str, ...] = (),
    points: Any = None,
    **recipe: Any,
) -> tuple[Done, list[dict[str, Any]]]:
    """(what the stage returns, curve); its output lies in `folder / "out"`."""
    folder.mkdir(exist_ok=True)
    weights, examples = given_weights(), given_examples()
    inputs = {weights: base or write_base(folder / "base"), examples: write_trainset(folder / "trainset")}
    how = dataclasses.replace(RECIPE, **recipe)
    stage = Finetune(base=weights, trainset=examples, recipe=how, seed=seed, prompt="plain")
    done = run_stage(stage, out=folder / "out", inputs=inputs, runtime=runtime, points=points)
    return done, list(read_jsonl(folder / "out" / CURVE_FILE))
