"""A random 1B Llama trained by our loop and by the Hugging Face Trainer: the same weights, batches, optimiser and schedule.

Both keep float32 weights and multiply in bfloat16 (autocast), fused AdamW, scaled-dot-product attention, no checkpointing.
Sizes of the forward pass are tried on both; each is then timed at its best. FLOPs are 6 a weight and token, those of
attention scores left out; the ceiling is a large bfloat16 product measured here.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from models import freed, memory_gb, peaks, random_llama, synchronize
from sizes import Sizes
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments

from rft.core.batching import packed_steps
from rft.core.model import training_flops_per_token
from rft.core.training import TrainSettings, train

Emit = Callable[[str, Any], None]
LR, WARM = 1e-4, 0.1


def run(sizes: Sizes, emit: Emit) -> None:
    """Measure, best sizes first found by trying."""
    peak = peaks(sizes.device, matrix=sizes.matrix, copy_bytes=sizes.copy_bytes)
    emit("peak", peak)
    with freed(sizes.device):
        model = random_llama(sizes.model, device=sizes.device)
        flops = training_flops_per_token(model)
        emit("model", {"parameters": sum(p.numel() for p in model.parameters()), "flops_per_token": flops})
        del model
    for name, loop in (("ours", ours), ("trainer", trainer)):
        tried = {}
        for rows in sizes.micro_rows:
            tried[rows] = _guarded(loop, sizes, rows, sizes.probe_steps)
            emit(f"{name}_tried", tried)
        rates = {rows: found["tokens_per_s"] for rows, found in tried.items() if "tokens_per_s" in found}
        best = max(rates, key=lambda rows: rates[rows])
        found = _guarded(loop, sizes, best, sizes.timed_steps)
        if "tokens_per_s" in found:
            found["mfu"] = found["tokens_per_s"] * flops / peak["bf16_flops_per_s"]
        emit(name, {"micro_rows": best, **found})


def _guarded(loop: Callable[[Sizes, int, int], dict[str, Any]], sizes: Sizes, rows: int, count: int) -> dict[str, Any]:
    """What a loop measured, or why it could not."""
    with freed(sizes.device):
        try:
            return loop(sizes, rows, count)
        except torch.cuda.OutOfMemoryError as error:
            return {"error": str(error).splitlines()[0]}


def _tokens(sizes: Sizes) -> np.ndarray:
    """Random tokens, enough that no step sees a sequence twice."""
    steps = sizes.warm_steps + sizes.timed_steps
    count = (steps * sizes.rows_per_step + 1) * sizes.sequence + 1
    return np.random.default_rng(0).integers(3, sizes.model.vocabulary, count)


def _summary(sizes: Sizes, ends: list[float], losses: list[float]) -> dict[str, Any]:
    """Of the times at which steps ended."""
    seconds = np.diff(ends)[sizes.warm_steps - 1 :]
    tokens = sizes.rows_per_step * sizes.sequence
    return {
        "tokens_per_s": tokens / statistics.median(seconds),
        "mean_tokens_per_s": tokens * len(seconds) / float(seconds.sum()),
        "steps": len(seconds),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "memory_gb": memory_gb(sizes.device),
    }


def ours(sizes: Sizes, rows: int, count: int) -> dict[str, Any]:
    """Our loop; it reads the loss of every step, so that a step is over when its row is logged."""
    memory_gb(sizes.device)
    steps = sizes.warm_steps + count
    model = random_llama(sizes.model, device=sizes.device)
    settings = TrainSettings(steps, LR, WARM, "cosine", 0.0, 1.0, autocast="bfloat16")
    batches = packed_steps(
        _tokens(sizes),
        sequence=sizes.sequence,
        batch_tokens=sizes.rows_per_step * sizes.sequence,
        num_steps=steps,
        seed=0,
        micro_batch_tokens=rows * sizes.sequence,
    )
    ends: list[float] = []
    losses: list[float] = []

    def log(row: dict[str, Any]) -> None:
        ends.append(time.perf_counter())
        losses.append(row["loss_nats"])

    train(model, batches, settings=settings, log=log)
    return _summary(sizes, ends, losses)


class _Rows(Dataset):  # type: ignore[type-arg]
    """The sequences of our loop, in its order."""

    def __init__(self, sizes: Sizes, steps: int) -> None:
        batches = packed_steps(
            _tokens(sizes),
            sequence=sizes.sequence,
            batch_tokens=sizes.rows_per_step * sizes.sequence,
            num_steps=steps,
            seed=0,
            micro_batch_tokens=sizes.sequence,
        )
        self.rows = [part.inputs_BT[0] for step in batches for part in step]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.rows[place], "labels": self.rows[place]}


class _InOrder(Trainer):
    def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


class _Clock(TrainerCallback):
    def __init__(self, device: str) -> None:
        self.device, self.ends = device, list[float]()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        synchronize(self.device)
        self.ends.append(time.perf_counter())


def trainer(sizes: Sizes, rows: int, count: int) -> dict[str, Any]:
    """The Hugging Face Trainer."""
    memory_gb(sizes.device)
    steps = sizes.warm_steps + count
    clock = _Clock(sizes.device)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=rows,
            gradient_accumulation_steps=sizes.rows_per_step // rows,
            learning_rate=LR,
            lr_scheduler_type="cosine",
            warmup_steps=max(1, round(WARM * steps)),
            max_grad_norm=1.0,
            adam_beta2=0.999,
            optim="adamw_torch_fused",
            bf16=True,
            gradient_checkpointing=False,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            use_cpu=sizes.device == "cpu",
            dataloader_pin_memory=sizes.device == "cuda",
        )
        model = random_llama(sizes.model, device=sizes.device)
        work = _InOrder(model=model, args=arguments, train_dataset=_Rows(sizes, steps), callbacks=[clock])
        work.train()
    losses = [row["loss"] for row in work.state.log_history if "loss" in row]
    return _summary(sizes, clock.ends, losses)
