"""Several processes that train one model on equal shares of every step: whole copies (DDP), or weights in shards (FSDP2).

    team = Team.join(sharded=False)          # in each process; ranks and address from the environment, as torchrun sets them
    call = team.wrap(model)                  # call(part, autocast) is the loss sum of the rank's share
    loss_sum = call(team.share(part))

Each process reads the same steps and takes every n-th row of each micro-batch; gradients are averaged over the processes and
losses summed, so that a step is the one that a single process makes but for the last bits of sums. accelerate starts the
process group and wraps copies; it has no FSDP2 for processors, so that shards are made by what it calls, torch's
`fully_shard`, with the same code on processors and GPUs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from rft.core.batching import MicroBatch, take_rows
from rft.core.devices import to_device
from rft.core.forward import target_loss_sum
from rft.core.model import Model

LossSum = Callable[[MicroBatch], torch.Tensor]


class _LossSum(nn.Module):
    """The loss sum as a forward pass, which both wrappers need."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, part: MicroBatch) -> torch.Tensor:
        device = self.model.device
        inputs_BT, index_N, targets_N = (to_device(t, device) for t in (part.inputs_BT, part.index_N, part.targets_N))
        positions_BT = None if part.positions_BT is None else to_device(part.positions_BT, device)
        weights_N = None if part.weights_N is None else to_device(part.weights_N, device)
        return target_loss_sum(
            self.model, inputs_BT, index_N, targets_N, positions_BT=positions_BT, weights_N=weights_N
        )


@dataclass(frozen=True)
class Team:
    """See the module. `Team()` is one process alone."""

    rank: int = 0
    size: int = 1
    sharded: bool = False
    accelerator: Any = None
    device: str = "cpu"

    @staticmethod
    def join(*, sharded: bool, device: str) -> Team:
        """Meet the other processes. Raises ValueError where accelerate is not installed."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return Team()
        try:
            from accelerate import Accelerator
        except ImportError as error:
            raise ValueError(
                "runtime.processes needs accelerate, which is not installed: pip install '.[accelerate]'"
            ) from error
        accelerator = Accelerator(cpu=device == "cpu")
        return Team(accelerator.process_index, accelerator.num_processes, sharded, accelerator, device)

    def wrap(self, model: Model) -> LossSum:
        """The loss sum of a micro-batch; of a team its gradient is the mean over the processes once it is backward."""
        whole = _LossSum(model)
        if self.size == 1:
            return whole
        if self.sharded:
            _shard(whole, model, device=self.device)
            return whole
        wrapped: LossSum = self.accelerator.prepare_model(whole, device_placement=False)
        return wrapped

    def share(self, part: MicroBatch) -> MicroBatch:
        """This process's rows; the first row without weight where there are fewer rows than processes."""
        if self.size == 1:
            return part
        rows = range(self.rank, len(part.inputs_BT), self.size)
        if rows:
            return take_rows(part, rows)
        idle = take_rows(part, range(1))
        return dataclasses.replace(idle, weights_N=torch.zeros(len(idle.targets_N)))

    def total(self, value: float, *, device: torch.device) -> float:
        """The sum over the processes."""
        if self.size == 1:
            return value
        found = torch.tensor(value, dtype=torch.float64, device=device)
        torch.distributed.all_reduce(found)
        return float(found)

    def agreed(self, choice: bool, *, device: torch.device) -> bool:
        """What the first process chose: clocks differ."""
        return choice if self.size == 1 else self.total(float(choice and self.rank == 0), device=device) > 0


ALONE = Team()


def _shard(whole: nn.Module, model: Model, *, device: str) -> None:
    """Each layer's weights gathered when it computes; what is outside the layers is a group of its own.

    `fully_shard` takes each group to the device before it cuts it, so that the whole model need not fit there.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (torch.distributed.get_world_size(),))
    for layer in layers_of(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(whole, mesh=mesh)


def layers_of(model: Model) -> list[nn.Module]:
    """The modules that compute one after the other, each of which is a group of shards."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    return [module for module in model.modules() if type(module).__name__ in names]


def whole_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of which each process holds a shard; another one as it is. All processes must ask."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def shard_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The inverse: this process's shard where `like` is one."""
    if not hasattr(like, "full_tensor") or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def unshard(model: Model) -> None:
    """Put whole weights back, on the processor, for a model that computes no more."""
    whole: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None and hasattr(parameter, "full_tensor"):
                if id(parameter) not in whole:
                    full = parameter.detach().full_tensor().cpu()
                    whole[id(parameter)] = nn.Parameter(full, requires_grad=parameter.requires_grad)
                module._parameters[name] = whole[id(parameter)]
