"""The gradient of one optimiser step, micro-batch by micro-batch, in as much memory as there is.

    accumulator = Accumulator(model, autocast=None)
    loss = accumulator(step)         # gradients lie in the parameters
    loss.nats(), accumulator.halvings

Where memory runs out, the step begins again with every micro-batch cut in two: the same examples in more passes, so that
nothing changes but the last bits of sums. What was learned is kept for the steps to come. When every micro-batch is one row,
nothing is left to cut: `OutOfMemoryError` names the settings that help.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rft.core.batching import MicroBatch, Step, take_rows
from rft.core.model import Model
from rft.core.recomputing import is_recomputing
from rft.core.team import ALONE, LossSum, Team

NO_MEMORY = ("can't allocate memory", "bad_alloc", "out of memory")  # as allocators of processors and GPUs say it


class OutOfMemoryError(RuntimeError):
    """Memory does not hold one row of a step, or the optimiser."""


class StepLoss:
    """The loss of a step whose gradients are queued: a GPU is waited for when its value is read, not before."""

    def __init__(self, sums: Sequence[torch.Tensor], num_targets: float, team: Team = ALONE) -> None:
        self._sums = sums
        self._num_targets = num_targets
        self._team = team

    def nats(self) -> float:
        """The mean over the step's target tokens, by their weights, of all processes. All must ask."""
        own = sum((loss_sum.item() for loss_sum in self._sums), start=0.0)
        return self._team.total(own, device=self._sums[0].device) / self._num_targets


class Accumulator:
    """See the module."""

    def __init__(self, model: Model, *, autocast: str | None = None, team: Team = ALONE) -> None:
        self.halvings = 0  # how often micro-batches are cut in two
        self._model, self._team = model, team
        self._loss_sum = team.wrap(model)
        self._autocast = autocast

    def __call__(self, step: Step) -> StepLoss:
        """Add the gradient of the step's loss. Raises OutOfMemoryError."""
        while True:
            cut = [piece for part in step for piece in pieces(part, halvings=self.halvings)]
            loss = self._tried(cut)
            if loss is not None:
                return loss
            self._model.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.halvings += 1

    def _tried(self, cut: Step) -> StepLoss | None:
        """None where memory ran out; what the attempt held is free once this returns."""
        try:
            return accumulate(self._model, cut, autocast=self._autocast, team=self._team, loss_sum=self._loss_sum)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if self._team.size > 1:  # the others know nothing of it
                text = f"process {self._team.rank} of {self._team.size} has no memory for its share of a micro-batch"
                raise OutOfMemoryError(f"{text}: lower runtime.micro_batch_tokens") from error
            if all(len(part.inputs_BT) == 1 for part in cut):
                width = max(part.inputs_BT.shape[1] for part in cut)
                raise OutOfMemoryError(no_memory(f"one row of {width} tokens")) from error
        return None


def accumulate(
    model: Model,
    step: Step,
    *,
    autocast: str | None = None,
    team: Team = ALONE,
    loss_sum: LossSum | None = None,
) -> StepLoss:
    """Add the gradient of the step's mean loss over ALL its target tokens, by their weights; returns that loss.

    `loss_sum` is the team's for this model, where it is made already.
    """
    device, loss_sum = model.device, loss_sum or team.wrap(model)
    num_targets = sum(len(part.targets_N) if part.weights_N is None else part.weights_N.sum().item() for part in step)
    is_mixed, sums = autocast == "bfloat16", []
    # Its copies of all weights would outlive what gathers or computes layer by layer to save memory
    keeps_casts = not (is_mixed and (team.sharded or is_recomputing(model)))
    for part in step:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_mixed, cache_enabled=keeps_casts):
            found = loss_sum(team.share(part))
        (found * (team.size / num_targets) if team.size > 1 else found / num_targets).backward()
        sums.append(found.detach())
    return StepLoss(sums, num_targets, team)


def pieces(part: MicroBatch, *, halvings: int) -> Step:
    """The rows of a micro-batch in 2 ** halvings parts of equal size, or one row each."""
    rows = range(len(part.inputs_BT))
    size = max(1, -(-len(rows) >> halvings))
    if size >= len(rows):
        return [part]
    return [take_rows(part, rows[first : first + size]) for first in range(0, len(rows), size)]


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocator said that there is no memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def no_memory(what: str) -> str:
    """What to say where nothing is left to cut."""
    return (
        f"memory does not hold {what}: lower train.max_tokens (model.pretrain.sequence), train adapters "
        "(train.lora_rank=16), set runtime.gradient_checkpointing=true, run fewer workers at once, or take a larger device"
    )
