"""What every stage that trains does after it has a model and its steps: train, write the weights and the curve.

result = fit(model, steps, tokenizer=tokenizer, settings=settings, seed=0, out=out, report=lambda share: None)

`curve.jsonl` has rows {"step", "loss_nats", "lr", "target_tokens", "elapsed_s"}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rft.core.batching import Step
from rft.core.lora import merge_lora
from rft.core.model import Model, save_model
from rft.core.seeding import seed_torch
from rft.core.tokenization import Tokenizer
from rft.core.training import TrainResult, TrainSettings, train
from rft.records import CURVE_FILE, write_jsonl


def fit(
    model: Model,
    steps: Iterable[Step],
    *,
    tokenizer: Tokenizer,
    settings: TrainSettings,
    seed: int,
    out: Path,
    report: Callable[[float], None],
    log: Callable[[Mapping[str, Any]], None] | None = None,
    flops_per_step: float = 0.0,
) -> TrainResult:
    """Train over the steps; leaves a plain Hugging Face folder (adapters merged) and the curve in `out`.

    `log` is told every row of the curve as it is made, with the steps to come and the FLOPs so far.
    """
    seed_torch(seed)  # for what a model may draw besides dropout, such as a router's jitter
    curve: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        curve.append(row)
        if log is not None:
            log({**row, "num_steps": settings.num_steps, "flops": row["step"] * flops_per_step})

    result = train(model, steps, settings=settings, log=keep, progress=lambda done, total: report(done / total))
    save_model(merge_lora(model), tokenizer, out)
    write_jsonl(out / CURVE_FILE, curve)
    return result
