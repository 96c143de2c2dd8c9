"""Stages run: one in this process, or many over whatever an executor has.

    with StageRunner(store, runtime) as run:
        for stage in cell.stages:
            run(stage)                             # computed, or found finished

A runner belongs to one process and keeps at most one sampler open between stages; training closes it first. Each worker of
an executor makes its own runner (`StageTask`) and is sent stages without the graph behind them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rft.config import RuntimeConfig, StoreConfig
from rft.execute import code
from rft.execute.made import Made
from rft.execute.team import run_together
from rft.infra.devices import resolve_device
from rft.infra.digest import digest
from rft.infra.entry import Entry
from rft.infra.live import live_log, live_name
from rft.infra.numerics import current, require
from rft.infra.origin import origin
from rft.infra.resume import ResumePoints
from rft.infra.stage_store import StageStore
from rft.infra.stores import open_store
from rft.infra.threads import limit_threads
from rft.registry import load_plugins
from rft.stages.stage import Stage, StageContext

if TYPE_CHECKING:
    from rft.core.sampling.held import HeldSampler


BLOCKS = ("micro_batch_tokens", "packing", "sample_batch")  # fields of RuntimeConfig that change the last bits of sums
TRAINING_BLOCKS = {"processes": 1, "shard": False, "gradient_checkpointing": False}  # the same; told where otherwise


class StageRunner:
    """Computes stages whose inputs are finished."""

    def __init__(self, store: StageStore, runtime: RuntimeConfig, *, live: Path | None = None) -> None:
        self.store = store
        self.runtime = runtime
        self.live = live  # the folder of what stages say while they run (rft.infra.live)
        self._sampler: HeldSampler | None = None  # made when first a stage is computed: importing torch takes seconds

    def __call__(
        self, stage: Stage[Any], *, report: Callable[[float], None] = lambda share: None, wait: bool = True
    ) -> Entry:
        """Compute one stage, or find it finished.

        Raises what the stage raises, and rft.infra.entry.Busy when another process computes it and not `wait`.
        """

        def fill(out: Path) -> dict[str, Any]:
            by = code.keep(code.behind(stage), self.store)  # before it runs: the source may be edited meanwhile
            points = None  # only trainings have checkpoints
            if stage.trains:
                points = self.store.resume_points(stage.kind, stage.key).on(self._basis(stage, by))
            return vars(replace(self.run(stage, out, report, points=points), code=by))

        meta = {"identity": stage.identity(), "inputs": [[one.kind, one.key] for one in stage.inputs]}
        return self.store.compute(stage.kind, stage.key, fill, meta=meta, wait=wait)

    def run(
        self,
        stage: Stage[Any],
        out: Path,
        report: Callable[[float], None] = lambda share: None,
        *,
        points: ResumePoints | None = None,
    ) -> Made:
        """Compute into an empty folder, beside the store; returns what would be kept with the files.

        `points`: of the stage's owner, who may go on from a checkpoint.
        """
        require(getattr(stage, "numerics", current()))  # before a library is loaded
        limit_threads(self.runtime.threads)
        sampler = self._held()  # imports torch, so that the next call sets its threads, which decide last bits
        if not stage.samples:
            sampler.close()
        limit_threads(self.runtime.threads)  # again: what was imported meanwhile may have set it
        alone = stage.shipped()  # as a worker gets it: what runs here runs there
        with live_log(self.live, kind=stage.kind, key=stage.key, label=stage.label) as log, _memory_named(stage):
            context = StageContext(out, self.runtime, report, sampler, self._finished, log, points)
            if stage.trains and self.runtime.processes > 1:
                live = None if self.live is None else self.live / live_name(stage.kind, stage.key)
                done = run_together(alone, context, live_file=live)
            else:
                done = alone.run(context)
        device = resolve_device(self.runtime.device) if "torch" in sys.modules else "cpu"
        blocks = {name: getattr(self.runtime, name) for name in BLOCKS}
        training = {name: getattr(self.runtime, name) for name in TRAINING_BLOCKS}
        blocks |= {name: value for name, value in training.items() if value != TRAINING_BLOCKS[name]}
        made = origin(device=device, threads=self.runtime.threads, blocks=blocks)
        facts = done.facts.to_json() if done.facts is not None else {}
        return Made(done.tokens, done.flops, facts, made, earlier_s=done.earlier_s)

    def _basis(self, stage: Stage[Any], code_digest: str | None) -> str:
        """What a checkpoint rests on beyond the stage's key: the code that runs and the bytes of the inputs."""
        entries = {f"{one.kind}-{one.key}": self.store.get(one.kind, one.key) for one in stage.inputs}
        read = {name: None if entry is None else dict(entry.digests) for name, entry in entries.items()}
        return digest({"code": code_digest, "inputs": read})

    def _held(self) -> HeldSampler:
        if self._sampler is None:
            from rft.core.sampling.held import HeldSampler

            self._sampler = HeldSampler()
        return self._sampler

    def _finished(self, stage: Stage[Any]) -> Path:
        """The folder of a finished input. Raises RuntimeError where it is not in the store."""
        entry = self.store.get(stage.kind, stage.key)
        if entry is None:
            raise RuntimeError(
                f"input {stage.kind} {stage.key} is not in the store {self.store.root} (damaged or deleted?): start the "
                "run again"
            )
        return entry.path

    def close(self) -> None:
        """Free what is held open."""
        if self._sampler is not None:
            self._sampler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _memory_named(stage: Stage[Any]) -> Iterator[None]:
    """Python says no more than that memory ran out."""
    try:
        yield
    except MemoryError as error:
        raise MemoryError(
            f"memory does not hold {stage.label}: run fewer workers at once (hydra.launcher.workers), or take a machine with "
            "more"
        ) from error


def execute(
    stages: Iterable[Stage[Any]],
    *,
    store: StageStore,
    runtime: RuntimeConfig,
    on_stage: Callable[[Stage[Any], Entry], None] = lambda stage, entry: None,
    live: Path | None = None,
) -> dict[str, bool]:
    """Compute what is missing, in order, in this process; returns whether each stage (by key) was found finished."""
    hits: dict[str, bool] = {}
    with StageRunner(store, runtime, live=live) as run:
        for stage in stages:
            entry = run(stage)
            hits[stage.key] = entry.cache_hit
            on_stage(stage, entry)
    return hits


@dataclass(frozen=True)
class StagePayload:
    """What a worker needs to compute a stage."""

    stage: Stage[Any]
    store: StoreConfig
    runtime: RuntimeConfig
    plugins: tuple[str, ...]
    live: Path | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Sent without the graph behind the stage; the cut is made when it is sent, so that a plan holds no copies."""
        return {**self.__dict__, "stage": self.stage.shipped()}


class StageTask:
    """Task function of a worker process, made once there: payload -> whether the stage was found finished."""

    def __init__(self) -> None:
        self._runners: dict[str, StageRunner] = {}

    def __call__(self, payload: StagePayload, report: Callable[[float], None]) -> bool:
        """Compute the stage, unless it is there or computed elsewhere (rft.infra.entry.Busy)."""
        load_plugins(payload.plugins)
        key = f"{payload.store} {payload.runtime} {payload.live}"
        if key not in self._runners:
            self._runners[key] = StageRunner(open_store(payload.store), payload.runtime, live=payload.live)
        return self._runners[key](payload.stage, report=report, wait=False).cache_hit
