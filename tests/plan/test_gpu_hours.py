"""GPU hours of a plan: what its stages cost, once each."""

from __future__ import annotations

import pytest
from composing import TINY, composed

from rft.plan.cell import plan
from rft.plan.gpu_hours import gpu_hours, hours_text
from rft.plan.sources import resolve
from rft.stages.stage import in_order


def test_hours_are_flops_of_unique_stages():
    cells = [plan(cfg, resolve(cfg)) for cfg in (composed(*TINY, f"method={name}", "k=2") for name in ("sft", "rft"))]
    stages = in_order(target for cell in cells for target in cell.targets)
    hours = gpu_hours(stages, flops_per_s=1e6)
    assert set(hours) == {"nano-xs"}
    training, rest = hours["nano-xs"]
    alone = [sum(gpu_hours(in_order(cell.targets), flops_per_s=1e6)["nano-xs"]) for cell in cells]
    assert max(alone) < training + rest < sum(alone)  # the base and more are shared
    assert 3600e6 * training == pytest.approx(
        sum(one.work.flops for one in stages if one.kind in ("pretrain", "finetune"))
    )
    assert 3600e6 * (training + rest) == pytest.approx(sum(one.work.flops for one in stages))
    assert [line.split()[0] for line in hours_text(stages, flops_per_s=1e6).splitlines()[1:]] == ["nano-xs", "all"]
