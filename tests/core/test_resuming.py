"""A training that was killed goes on bit for bit: weights, both optimisers, schedule, order of data, randomness, curve."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from composing import tiny

from rft.core import fitting
from rft.core.batching import example_steps, packed_steps
from rft.core.resuming import SavedState, state_tensors, write_state
from rft.core.tokenization import encode_examples
from rft.core.training import train
from rft.execute.stages import StageRunner
from rft.infra.live import Tail
from rft.infra.live_metrics import Training
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import CURVE_FILE, read_jsonl
from rft.stages.stage import Stage, in_order
from tests.core_families import tiny_gpt2
from tests.core_tiny import settings, tiny_llama, tiny_tokenizer, toy_pairs
from tests.forking import in_child

torch.set_num_threads(1)

EACH_STEP = "runtime.checkpoint_minutes=1e-6"


def killed_at(step: int, work: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the work in a process that is killed when it has logged this step, before its checkpoint is written."""
    add = fitting._Curve.add

    def add_and_die(self: Any, row: dict[str, Any]) -> None:
        add(self, row)
        if row["step"] == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(fitting._Curve, "add", add_and_die)
        assert in_child(work) == signal.SIGKILL


def stages_of(case: str) -> list[Stage[Any]]:
    overrides = {
        "pretrain": ("model.pretrain.optimizer=muon", "model.pretrain.matrix_lr=0.02", "model.pretrain.singles_frac=0.4"),
        "finetune": (),
        "lora": ("train.lora_rank=4", "train.lora_alpha=8"),
    }[case]  # fmt: skip
    cfg = tiny("method=sft", "model.arch.num_layers=2", "model.pretrain.batch_tokens=512", *overrides)
    read = plan(cfg, resolve(cfg)).read
    return in_order([read.base if case == "pretrain" else read.trained.weights])


@pytest.mark.parametrize("case", ["pretrain", "finetune", "lora"])
def test_killed_twice_and_resumed_equals_uninterrupted(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *inputs, stage = stages_of(case)
    runtime = tiny("runtime.device=cpu", EACH_STEP).runtime
    store, live = Store(tmp_path / "store"), tmp_path / "live"
    with StageRunner(store, runtime) as run:
        for one in inputs:
            run(one)
        whole = [p.read_bytes() for p in output(run(stage).path)]
        curve = rows(store.folder(stage.kind, stage.key))
        shelved = store.folder(stage.kind, stage.key).rename(tmp_path / "whole")
    count, rng = len(curve), random.Random(case)
    first, second = sorted(rng.sample(range(2, count), 2))

    def work() -> None:
        with StageRunner(store, runtime, live=live) as run:
            run(stage)

    for step in (first, second):
        killed_at(step, work, monkeypatch)
        (point,) = (p for p in store.resume_points(stage.kind, stage.key).folder.iterdir() if p.suffix != ".part")
        assert SavedState.read(point).standing.num_steps == step - 1
    steps_run: list[int] = []
    add = fitting._Curve.add
    monkeypatch.setattr(fitting._Curve, "add", lambda self, row: (steps_run.append(row["step"]), add(self, row)))
    work()
    assert steps_run == list(range(second, count + 1))
    resumed = store.folder(stage.kind, stage.key)
    assert [p.read_bytes() for p in output(resumed)] == whole, shelved
    assert rows(resumed) == curve
    assert not store.resume_points(stage.kind, stage.key).folder.exists()
    follow, told = Training(), Tail(live / f"{stage.kind}-{stage.key}.jsonl").fresh()
    points = [point for row in told if "step" in row and (point := follow.metrics("", row)) is not None]
    assert [point["train/step"] for point in points] == list(range(1, count + 1))
    entry = store.get(stage.kind, stage.key)
    assert entry is not None
    assert entry.seconds >= max(row["elapsed_s"] for row in read_jsonl(resumed / CURVE_FILE))


def output(folder: Path) -> list[Path]:
    """What must be equal: all but the curve, which has times, and the manifest, which has them too."""
    return sorted(p for p in folder.iterdir() if p.name not in (CURVE_FILE, "manifest.json"))


def rows(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "elapsed_s"} for row in read_jsonl(folder / CURVE_FILE)]


def noisy(seed: int) -> Any:
    """A model that draws random numbers in its forward pass, as a router's jitter does."""
    torch.manual_seed(seed)
    model = tiny_gpt2()
    model.transformer.wte.register_forward_hook(lambda module, inputs, out: out + 0.1 * torch.randn(out.shape))
    return model


def test_random_numbers_of_the_model_go_on(tmp_path: Path) -> None:
    examples = encode_examples(tiny_tokenizer(), toy_pairs(24, seed=3), max_tokens=64)
    how: dict[str, Any] = {"batch_size": 8, "num_steps": 8, "seed": 0, "micro_batch_tokens": 256}

    def keep(standing: Any, optimizers: Any) -> None:
        if standing.num_steps == 5:
            write_state(tmp_path, state_tensors(model, optimizers), standing=standing, curve=curve)

    curve: list[dict[str, Any]] = []
    model = noisy(0)
    torch.manual_seed(1)
    train(model, example_steps(examples, **how), settings=settings(8), log=curve.append, keep=keep)
    saved = SavedState.read(tmp_path)
    assert [row["step"] for row in saved.curve] == [1, 2, 3, 4, 5]
    again = noisy(7)
    train(again, example_steps(examples, **how, first=5), settings=settings(8), start=saved)
    assert torch.equal(flat(model), flat(again))


def test_a_checkpoint_of_another_shape_is_not_used(tmp_path: Path) -> None:
    model = tiny_llama()
    write_state(tmp_path, state_tensors(model, []), standing=fitting.Standing(3, loss_nats=1.0), curve=[])
    saved = SavedState.read(tmp_path)
    assert saved.fits(tiny_llama(seed=1))
    assert not saved.fits(tiny_gpt2())


def test_later_steps_are_those_of_the_whole_run() -> None:
    import numpy as np

    examples = encode_examples(tiny_tokenizer(), toy_pairs(10, seed=3), max_tokens=64)
    tokens = np.arange(1000)
    for first in (0, 1, 5, 8):
        how: dict[str, Any] = {"num_steps": 8, "seed": 4, "micro_batch_tokens": 64}
        rows = {"sequence": 16, "batch_tokens": 64}
        pairs = [
            (
                list(example_steps(examples, batch_size=4, first=n, **how)),
                list(packed_steps(tokens, first=n, **rows, **how)),
            )
            for n in (0, first)
        ]
        for whole, part in zip(*pairs, strict=True):
            assert len(part) == 8 - first
            for step, same in zip(whole[first:], part, strict=True):
                assert all(torch.equal(a.inputs_BT, b.inputs_BT) for a, b in zip(step, same, strict=True))
                assert all(torch.equal(a.targets_N, b.targets_N) for a, b in zip(step, same, strict=True))


def flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
