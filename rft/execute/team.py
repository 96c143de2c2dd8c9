"""One training stage in several processes of this machine: `runtime.processes=2`.

    done = run_together(stage, context, live_file=None)       # as stage.run(context), whose files come from the first process

Each process is a worker (rft.infra.process) that runs the whole stage; what they share is said in rft.core.team. The first
writes the stage's files, its curve and its checkpoints; the others write into folders that are thrown away. When one fails
the others are ended, and its reason is raised.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from rft.config import RuntimeConfig
from rft.infra.devices import resolve_device
from rft.infra.disk import StoreError
from rft.infra.live import Appender
from rft.infra.process import Worker
from rft.infra.resume import ResumePoints
from rft.infra.threads import limit_threads
from rft.registry import load_plugins, named_plugins
from rft.stages.stage import Done, Stage, StageContext

RANK_FUNCTION = "rft.execute.team:run_rank"
GRACE_S = 10.0  # for a process to end


@dataclass(frozen=True)
class RankPayload:
    """What one process needs."""

    rank: int
    port: int
    stage: Stage[Any]
    out: Path
    runtime: RuntimeConfig
    folders: Mapping[str, Path]  # of the inputs, by key
    points: ResumePoints | None
    live_file: Path | None
    plugins: tuple[str, ...]


def run_together(stage: Stage[Any], work: StageContext, *, live_file: Path | None) -> Done:
    """Run the stage in `runtime.processes` processes. Raises ValueError or RuntimeError with the reason of a failed one."""
    count, port = work.runtime.processes, _free_port()
    folders = {one.key: work.folder_of(one) for one in stage.inputs}
    workers = [Worker(threads=work.runtime.threads) for _ in range(count)]
    with tempfile.TemporaryDirectory() as aside:
        outs = [work.out, *(Path(aside, str(rank)) for rank in range(1, count))]
        try:
            for rank, (worker, out) in enumerate(zip(workers, outs, strict=True)):
                out.mkdir(exist_ok=True)
                live = live_file if rank == 0 else None
                payload = RankPayload(rank, port, stage, out, work.runtime, folders, work.points, live, named_plugins())
                worker.send(f"rank {rank}", "", (RANK_FUNCTION, payload))
            return _collected(workers, work.report)
        finally:
            for worker in workers:
                worker.close()
            for worker in workers:
                worker.join(time.monotonic() + GRACE_S)


def run_rank(payload: RankPayload, report: Callable[[float], None]) -> Done:
    """Task function of one process."""
    from rft.core.sampling.held import HeldSampler

    names = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": payload.port, "WORLD_SIZE": payload.runtime.processes}
    names |= {"RANK": payload.rank, "LOCAL_RANK": payload.rank}
    os.environ.update({name: str(value) for name, value in names.items()})
    load_plugins(payload.plugins)
    limit_threads(payload.runtime.threads)
    runtime = dataclasses.replace(payload.runtime, device=resolve_device(payload.runtime.device))
    if runtime.device == "cuda":
        import torch

        torch.cuda.set_device(payload.rank)
    log = None if payload.live_file is None else Appender(payload.live_file)
    points = payload.points
    context = StageContext(
        payload.out, runtime, report, HeldSampler(), lambda one: payload.folders[one.key], log, points
    )
    return payload.stage.run(context)


def _collected(workers: Sequence[Worker], report: Callable[[float], None]) -> Done:
    """What the first process returns, once all are done."""
    found: dict[int, Done] = {}
    while len(found) < len(workers):
        for pipe in wait([worker.pipe for rank, worker in enumerate(workers) if rank not in found]):
            rank = next(rank for rank, worker in enumerate(workers) if worker.pipe is pipe)
            try:
                kind, *content = workers[rank].pipe.recv()
            except (EOFError, OSError) as error:
                raise RuntimeError(f"process {rank} of {len(workers)} ended: {workers[rank].bury()}") from error
            if kind == "progress" and rank == 0:
                report(content[0])
            elif kind == "failed":
                raise _failure(content[0], rank)
            elif kind == "done":
                found[rank] = content[0]
    return found[0]


def _failure(reason: str, rank: int) -> Exception:
    """Of the kind that it was there, where callers ask for the kind."""
    name, _, text = reason.partition(": ")
    kind = {"ValueError": ValueError, "StoreError": StoreError}.get(name)
    return RuntimeError(f"{reason} (training process {rank})") if kind is None else kind(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
