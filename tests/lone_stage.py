"""One stage alone: its inputs are stand-ins, each read from a folder that a test has written.

base, examples = given_weights(), given_examples()
stage = Finetune(base=base, trainset=examples, recipe=recipe, seed=0, prompt="plain")
done = run_stage(stage, out=tmp_path / "out", inputs={base: tmp_path / "base", examples: tmp_path / "examples"})
done.facts.target_tokens
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from composing import tiny

from rft.core.sampling.held import HeldSampler
from rft.infra.resume import ResumePoints
from rft.stages.imported import Import
from rft.stages.kept import Selection
from rft.stages.problems import FileProblems, Subset
from rft.stages.stage import Done, Stage, StageContext
from rft.stages.trainset import HumanSet


def given_weights(name: str = "base") -> Import:
    """Stands for a model."""
    return Import(content=name, path="")


def given_problems(split: str) -> FileProblems:
    """Stands for the problems of a split."""
    checks = {"rule": "gsm8k", "on_bad_gold": "error", "on_duplicate": "error"}
    return FileProblems(split=split, content=split, limit=None, path="", **checks)


def given_examples() -> HumanSet:
    """Stands for a set of examples."""
    return HumanSet(subset=Subset(given_problems("train"), 1, 0))


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenPaths(Selection):
    """Stands for a choice of paths."""

    kind: ClassVar[str] = "given_paths"
    name: str


@contextmanager
def working(
    out: Path, inputs: Mapping[Stage[Any], Path], *runtime: str, points: ResumePoints | None = None
) -> Iterator[StageContext]:
    """What a stage is given; `runtime` are overrides of a tiny configuration."""
    sampler = HeldSampler()
    try:
        settings = tiny("runtime.device=cpu", *runtime).runtime
        yield StageContext(out, settings, lambda share: None, sampler, inputs.__getitem__, points=points)
    finally:
        sampler.close()


def run_stage(
    stage: Stage[Any],
    *,
    out: Path,
    inputs: Mapping[Stage[Any], Path],
    runtime: tuple[str, ...] = (),
    points: ResumePoints | None = None,
) -> Done:
    """Run a stage into a new folder."""
    out.mkdir()
    with working(out, inputs, *runtime, points=points) as work:
        return stage.run(work)
