"""Two processes that train one model: the loss curve of one process at equal global batch, from copies and from shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from composing import tiny

from rft.core.batching import MicroBatch, Step, cut_step
from rft.core.team import Team
from rft.core.tokenization import encode_examples
from rft.execute.stages import StageRunner
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import CURVE_FILE, read_jsonl
from rft.stages.stage import in_order
from tests.core_tiny import tiny_tokenizer, toy_pairs

torch.set_num_threads(1)


def targets(part: MicroBatch) -> list[tuple[list[int], int, float]]:
    """(tokens before and with the place, token to predict, weight) of every target."""
    width = part.inputs_BT.shape[1]
    weights = torch.ones(len(part.targets_N)) if part.weights_N is None else part.weights_N
    rows = zip(part.index_N.tolist(), part.targets_N.tolist(), weights.tolist(), strict=True)
    return [(part.inputs_BT[at // width, : at % width + 1].tolist(), target, weight) for at, target, weight in rows]


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("packing", [False, True])
def test_shares_are_the_whole_step(size: int, packing: bool) -> None:
    examples = encode_examples(tiny_tokenizer(), toy_pairs(10, seed=3), max_tokens=64)
    step: Step = cut_step(examples, micro_batch_tokens=100, packing=packing)
    shares = [Team(rank, size).share(part) for part in step for rank in range(size)]
    found = [one for part in shares for one in targets(part) if one[2] > 0]
    assert sorted(map(str, found)) == sorted(str(one) for part in step for one in targets(part))
    assert all(len(part.inputs_BT) for part in shares)  # nobody is missing from a pass


def test_shards_of_one_process_are_refused() -> None:
    with pytest.raises(ValueError, match=r"runtime.processes=1 is one: raise it"):
        tiny("runtime.shard=true")


LORA = ("train.lora_rank=4", "train.lora_alpha=8")


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "shard"), [((), "false"), ((), "true"), (LORA, "false"), (LORA, "true")])
def test_two_processes_have_the_curve_of_one(recipe: tuple[str, ...], shard: str, tmp_path: Path) -> None:
    cfg = tiny("method=sft", "model.arch.num_layers=2", *recipe)
    *inputs, stage = in_order([plan(cfg, resolve(cfg)).read.trained.weights])
    stores = [Store(tmp_path / name) for name in ("one", "two")]
    curves: list[list[dict[str, Any]]] = []
    for store, more in zip(stores, ((), ("runtime.processes=2", f"runtime.shard={shard}")), strict=True):
        with StageRunner(store, tiny("runtime.device=cpu").runtime) as run:
            for one in inputs:
                run(one)
        with StageRunner(store, tiny("runtime.device=cpu", *more).runtime, live=tmp_path / store.root.name) as run:
            run(stage)
        curves.append(list(read_jsonl(store.folder(stage.kind, stage.key) / CURVE_FILE)))
    assert len(curves[0]) == len(curves[1])
    for row, same in zip(*curves, strict=True):
        assert same["loss_nats"] == pytest.approx(row["loss_nats"], rel=2e-4)
        assert (same["lr"], same["target_tokens"]) == (row["lr"], row["target_tokens"])
    told = list(read_jsonl(tmp_path / "two" / f"{stage.kind}-{stage.key}.jsonl"))
    assert [row["step"] for row in told if "step" in row] == [row["step"] for row in curves[0]]
    weights = [load(store.folder(stage.kind, stage.key)) for store in stores]
    for name, whole in weights[0].items():
        assert torch.allclose(whole, weights[1][name], atol=2e-3), name


def load(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")
