"""One stage alone, on inputs that a test writes by hand.

done = run_alone(stage, out, folders={stage.trainset: folder})      # leaves its files in `out`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from composing import tiny

from rft.core.sampling.held import HeldSampler
from rft.stages.stage import Done, Stage, StageContext


def run_alone(
    stage: Stage[Any], out: Path, *, folders: Mapping[Stage[Any], Path], runtime: tuple[str, ...] = ()
) -> Done:
    """What the stage returns; `folders` are those of its finished inputs."""
    out.mkdir(parents=True, exist_ok=True)
    settings = tiny("runtime.device=cpu", *runtime).runtime
    return stage.run(StageContext(out, settings, lambda share: None, HeldSampler(), lambda one: folders[one]))
