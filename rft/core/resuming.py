"""Where a training stands, on disk: what is needed to go on as if it had never stopped.

    write_state(folder, state_tensors(model, optimizers), standing=Standing(num_steps=400, ...), curve=rows)
    saved = SavedState.read(folder)
    saved.standing.num_steps, saved.curve        # 400, rows of the curve so far
    saved.restore(model, optimizers)             # weights, buffers, optimisers, random generators

The folder holds `state.safetensors` (trainable weights, so that frozen ones are not written; all buffers; the optimisers'
moments; the states of torch's generators), `standing.json` and `curve.jsonl`. The schedule and the order of the data are
functions of the number of steps. Goes on bit for bit on the same machine with the same settings of speed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from rft.core.model import Model
from rft.core.team import shard_like, whole_tensor
from rft.records import CURVE_FILE, read_json, read_jsonl, write_json, write_jsonl

STATE_FILE = "state.safetensors"
STANDING_FILE = "standing.json"
WEIGHT, BUFFER, OPTIMIZER, RANDOM = "weight/", "buffer/", "optimizer/", "random/"

Optimizers = Sequence[torch.optim.Optimizer]


@dataclass
class Standing:
    """Running totals of a training."""

    num_steps: int = 0
    target_tokens: int = 0  # tokens that carried loss
    input_tokens: int = 0  # padded positions of all forward passes
    loss_nats: float = math.nan  # of the last step
    elapsed_s: float = 0.0
    halvings: int = 0  # how often memory ran out (rft.core.accumulation)


@dataclass(frozen=True)
class SavedState:
    """A training that stopped."""

    standing: Standing
    curve: list[dict[str, Any]]
    tensors: dict[str, torch.Tensor]

    @staticmethod
    def read(folder: Path) -> SavedState:
        """What `write_state` left."""
        tensors = load_file(folder / STATE_FILE)
        return SavedState(Standing(**read_json(folder / STANDING_FILE)), list(read_jsonl(folder / CURVE_FILE)), tensors)

    def fits(self, model: Model) -> bool:
        """Whether it is of this model: names and shapes of what is trained, which another version of a library may change."""
        own = {name: tensor.shape for name, tensor in _below(self.tensors, WEIGHT).items()}
        return own == {name: parameter.shape for name, parameter in _trained(model).items()}

    @torch.no_grad()
    def restore(self, model: Model, optimizers: Optimizers) -> None:
        """Put everything back."""
        for name, parameter in _trained(model).items():
            parameter.copy_(shard_like(self.tensors[WEIGHT + name], parameter))
        for name, buffer in model.named_buffers():
            buffer.copy_(self.tensors[BUFFER + name])
        for number, optimizer in enumerate(optimizers):
            state: dict[int, dict[str, torch.Tensor]] = {}
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            for name, tensor in _below(self.tensors, f"{OPTIMIZER}{number}/").items():
                index, field = name.split("/")
                own = tensor.clone()  # the file's memory is not aligned
                state.setdefault(int(index), {})[field] = shard_like(own, parameters[int(index)])
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        torch.set_rng_state(self.tensors[f"{RANDOM}cpu"])
        if model.device.type == "cuda" and f"{RANDOM}cuda" in self.tensors:
            torch.cuda.set_rng_state(self.tensors[f"{RANDOM}cuda"], model.device)


def write_state(
    folder: Path, tensors: Mapping[str, torch.Tensor], *, standing: Standing, curve: Iterable[Mapping[str, Any]]
) -> None:
    """Write everything into a folder."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / STATE_FILE)
    write_json(folder / STANDING_FILE, dataclasses.asdict(standing))
    write_jsonl(folder / CURVE_FILE, curve)


def state_tensors(model: Model, optimizers: Optimizers) -> dict[str, torch.Tensor]:
    """All tensors of a state, whole. Where weights are in shards, all processes must ask."""
    tensors = {WEIGHT + name: whole_tensor(parameter.detach()) for name, parameter in _trained(model).items()}
    tensors |= {BUFFER + name: buffer.clone() for name, buffer in model.named_buffers()}  # some share their memory
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{OPTIMIZER}{number}/{index}/{field}": whole_tensor(one) for field, one in state.items()}
    tensors[f"{RANDOM}cpu"] = torch.get_rng_state()
    if model.device.type == "cuda":
        tensors[f"{RANDOM}cuda"] = torch.cuda.get_rng_state(model.device)
    return tensors


def _trained(model: Model) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
