"""The finetune stage alone, on a tiny Llama and toy examples, for tests of what it writes.

stats, curve = finetuned(tmp_path, **{"lora_rank": 4, "lora_alpha": 8})       # the folder is tmp_path / "out"
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from composing import tiny

from rft.core.model import count_parameters, save_model
from rft.records import read_jsonl, write_json, write_jsonl
from rft.stages import CURVE_FILE, StageContext, Stats
from rft.stages.finetune import finetune
from rft.stages.trainset import EXAMPLES_FILE, REFERENCE_FILE
from rft.stages.weights import MODEL_FACTS_FILE
from tests.core_tiny import tiny_llama, tiny_tokenizer, toy_pairs

RECIPE: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 8,
    "lr": 3e-3,
    "warmup_frac": 0.1,
    "schedule": "cosine",
    "weight_decay": 0.0,
    "grad_clip": 1.0,
    "max_tokens": 64,
    "max_steps": None,
    "lora_rank": None,
    "lora_alpha": None,
}
NUM_EXAMPLES = 32


def write_base(folder: Path, *, model: Any = None, tokenizer: Any = None) -> Path:
    """A base model's folder with its facts; by default a tiny Llama."""
    model = tiny_llama() if model is None else model
    folder.mkdir(parents=True)
    save_model(model, tokenizer or tiny_tokenizer(), folder)
    write_json(folder / MODEL_FACTS_FILE, {"num_params": count_parameters(model).total})
    return folder


def write_trainset(folder: Path) -> Path:
    """Toy problems as the trainset stage writes them."""
    folder.mkdir()
    rows = [{"question": question.text, "solution": answer} for question, answer in toy_pairs(NUM_EXAMPLES, seed=3)]
    write_jsonl(folder / EXAMPLES_FILE, rows)
    write_json(folder / REFERENCE_FILE, {"num_reference_examples": NUM_EXAMPLES})
    return folder


def finetuned(
    folder: Path, *, base: Path | None = None, seed: int = 0, runtime: tuple[str, ...] = (), **recipe: Any
) -> tuple[Stats, list[dict[str, Any]]]:
    """(stats, curve) of the stage; its output lies in `folder / "out"`."""
    folder.mkdir(exist_ok=True)
    inputs = {"base": (base or write_base(folder / "base"),), "trainset": (write_trainset(folder / "trainset"),)}
    out = folder / "out"
    out.mkdir()
    context = StageContext(tiny("runtime.device=cpu", *runtime).runtime, {}, lambda share: None)
    config = {"recipe": RECIPE | recipe, "seed": seed, "prompt": "plain"}
    stats = finetune(config, inputs, out, context)
    return stats, list(read_jsonl(out / CURVE_FILE))
