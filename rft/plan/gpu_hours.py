"""Hours of one GPU that a plan's unique stages would take, by model, whatever is stored: FLOPs over `runtime.flops_per_s`.

print(hours_text(stages, flops_per_s=1.25e14))

GPU hours by model at 1.2e+14 FLOP/s   training  sampling and scoring   together
llama-7b                                  131.4                  17.9      149.3

Sharing a stage among several GPUs changes how long it takes, not its hours, but for what they lose on each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from rft.stages.stage import Stage


def gpu_hours(stages: Iterable[Stage[Any]], *, flops_per_s: float) -> dict[str, tuple[float, float]]:
    """(training, sampling and scoring) by the name of the model that does it."""
    found: dict[str, list[list[float]]] = {}
    for stage in stages:
        if stage.work.flops > 0:
            found.setdefault(stage.model, [[], []])[0 if stage.trains else 1].append(stage.work.flops)
    return {name: (_hours(one, flops_per_s), _hours(two, flops_per_s)) for name, (one, two) in found.items()}


def hours_text(stages: Iterable[Stage[Any]], *, flops_per_s: float) -> str:
    """The table, with its sum."""
    hours = gpu_hours(stages, flops_per_s=flops_per_s)
    hours["all"] = (math.fsum(one for one, _ in hours.values()), math.fsum(two for _, two in hours.values()))
    lines = [
        f"{f'GPU hours by model at {flops_per_s:.1e} FLOP/s':<38} {'training':>9} {'sampling, scoring':>18} {'together':>9}"
    ]
    lines += [f"{name:<38} {one:>9.1f} {two:>18.1f} {one + two:>9.1f}" for name, (one, two) in hours.items()]
    return "\n".join(lines)


def _hours(flops: list[float], flops_per_s: float) -> float:
    return math.fsum(flops) / flops_per_s / 3600
