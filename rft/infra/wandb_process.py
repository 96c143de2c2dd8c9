"""The mirror's process: follows the local files of a sweep and tells W&B (rft.infra.tracking says what it promises).

    python -c "from rft.infra.wandb_process import main; main()" PIPE_FD FOLDER     # rft.infra.tracking starts it

FOLDER is for temporary files, wandb's among them, and is removed at the end. The one message is (TrackingSettings, runs); the
pipe's end, however it comes, is the end of the sweep. From then on what is left is told, and the process ends itself, and
wandb's service with it, when that takes longer than `linger_s`.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection

from filelock import FileLock

from rft.infra.mirror_results import cell_extra, drawn_figures, sweep_tables
from rft.infra.mirror_stream import Stream
from rft.infra.tracking import STATE_FOLDER, STATUS_FILE, RunPlan, Sent, TrackingSettings
from rft.infra.wandb_runs import Extra, OpenRun, Place, Point, Source, end_service, find_place
from rft.infra.workspace_call import build_workspace
from rft.records import RECORD_FILE, write_json

EVERY_S = 1.0  # between two looks at the files
PROBE_EVERY_S = 30.0  # while the server cannot be reached
TABLE_EVERY_S = 30.0
SHORT_S = 5.0  # an evaluation over sooner has no run of its own: its result stands in its cell's
MOST_OPEN = 16  # runs at once


def main() -> None:
    """Serve until the pipe closes, and then to the end."""
    fd, os.environ["TMPDIR"] = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(fd, False)
    os.nice(10)  # what computes goes first
    os.umask(0o077)  # wandb's own files
    pipe = Connection(fd)
    try:
        settings, runs = pipe.recv()
    except EOFError:
        return
    with FileLock(settings.folder / STATE_FOLDER / ".lock", timeout=settings.linger_s):
        MirrorProcess(settings, runs).serve(pipe)
    _end_group(0.0)  # wandb's service may wait for the server for ever


def _end_group(after_s: float) -> None:
    time.sleep(after_s)
    sys.stdout.flush()
    _remove_temporary()
    os.killpg(os.getpgrp(), signal.SIGKILL) if after_s else os._exit(0)


def _remove_temporary() -> None:
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


class MirrorProcess:
    """The state of the mirror."""

    def __init__(self, settings: TrackingSettings, runs: Sequence[RunPlan]) -> None:
        self._settings = settings
        self._folder = settings.folder.absolute()
        self._place, self._trouble = find_place(settings)
        self._probed_s = time.monotonic()
        self._streams = [Stream(plan, folder=self._folder) for plan in runs if plan.cell is None]
        self._cells = [plan for plan in runs if plan.cell is not None]
        self._sent = {plan.run_id: Sent.of(self._folder, plan.run_id) for plan in runs}
        self._open: dict[str, OpenRun] = {}
        self._ending: dict[str, OpenRun] = {}
        self._plans = {plan.run_id: plan for plan in runs}
        self._table_s = 0.0
        self._num_told = -1  # cells in the latest table
        self._has_workspace = False
        self._refused: set[str] = set()  # runs that could not be opened
        self._closed: set[str] = set()  # runs that were ended because the sweep is

    def serve(self, pipe: Connection) -> None:
        """Look at the files every second until the sweep ends."""
        self._write_status()
        while not _closed(pipe, EVERY_S):
            self._look()
        threading.Thread(target=_end_group, args=(self._settings.linger_s,), daemon=True).start()
        self._finish()

    def _look(self, *, last: bool = False) -> None:
        self._probe()
        for number in range(len(self._streams)):
            self._follow(number, last=last)
        for plan in self._cells:
            self._take_cell(plan)
        self._collect()

    def _follow(self, number: int, *, last: bool) -> None:
        stream = self._streams[number]
        run_id = stream.plan.run_id
        points = _points(stream, curve=last or not stream.plan.files)
        run, is_sweep = self._open.get(run_id), stream.plan.job_type == "sweep"
        if run is not None:
            if is_sweep:
                self._tell_results(run, last=last)  # before the points: they go into the row of the first
            _tell(run, points)
        elif self._has_news(stream, last=last):
            run = self._open_again(number)
            stream = self._streams[number]
            if is_sweep:
                self._tell_results(run, last=last)
        if run is None:
            return
        if last or (stream.has_ended and not is_sweep):
            done = stream.has_ended and not stream.failed
            self._closed |= {run_id} if last else set()
            self._end(run_id, exit_code=0 if done or is_sweep else 1)

    def _has_news(self, stream: Stream, *, last: bool) -> bool:
        """Whether a stream whose run is not open has something new to say, and may."""
        run_id, sent = stream.plan.run_id, self._sent[stream.plan.run_id]
        known = sent.rows if sent.where == self._place.name or sent.finished else 0
        is_new = stream.num_points > known or (last and stream.num_points > 0 and not sent.finished)
        is_short = stream.plan.job_type == "evaluate" and stream.lasted_s < SHORT_S
        is_full = len(self._open) + len(self._ending) >= MOST_OPEN and not last
        is_barred = run_id in self._ending or run_id in self._closed or run_id in self._refused
        return is_new and not (is_short or is_full or is_barred)

    def _open_again(self, number: int, *, again: bool = False) -> OpenRun:
        """A run with all points of its files, from the first one on: it knows which of them are there."""
        plan = self._streams[number].plan
        stream = self._streams[number] = Stream(plan, folder=self._folder)
        points = _points(stream, curve=True)
        run = self._start(plan, stream.source, again=again)
        _tell(run, points)
        return run

    def _start(self, plan: RunPlan, source: Source, *, again: bool = False) -> OpenRun:
        run = OpenRun(plan, self._settings, place=self._place, sent=self._sent[plan.run_id], source=source, again=again)
        self._open[plan.run_id] = run
        run.start()
        return run

    def _end(self, run_id: str, *, exit_code: int) -> None:
        run = self._open.pop(run_id)
        run.end(exit_code=exit_code)
        self._ending[run_id] = run

    def _take_cell(self, plan: RunPlan) -> None:
        """A cell whose record is there, and was not told: its summary and solutions."""
        assert plan.cell is not None
        sent = self._sent[plan.run_id]
        busy = plan.run_id in self._ending or plan.run_id in self._refused or len(self._ending) >= MOST_OPEN
        if busy or not (plan.cell / RECORD_FILE).is_file():
            return
        digest, extra = cell_extra(plan, max_samples=self._settings.max_samples)
        if extra is None or (sent.finished and sent.digest == digest):
            return
        sent.digest = digest
        first = [Stream(replace(plan, job_type="evaluate"), folder=self._folder)]
        first[0].read()
        run = self._start(plan, Source(first[0].first_s))
        run.tell(extra)
        self._end(plan.run_id, exit_code=0)

    def _tell_results(self, run: OpenRun, *, last: bool) -> None:
        """The tables of the sweep's run: when cells have come, and at the end."""
        now_s = time.monotonic()
        if not last and now_s - self._table_s < TABLE_EVERY_S:
            return
        self._table_s = now_s
        num_cells, tables = sweep_tables(self._folder)
        if last or num_cells != self._num_told:
            self._num_told = num_cells
            images = drawn_figures(self._folder) if last and self._settings.figures else {}
            run.tell(Extra(tables=tables, images=images))

    def _collect(self) -> None:
        """Runs that have ended; what went wrong with one."""
        for run_id, run in [*self._ending.items(), *self._open.items()]:
            if not run.is_alive():
                self._ending.pop(run_id, None)
                self._open.pop(run_id, None)
                if run.trouble is not None:
                    self._meet(run)

    def _meet(self, run: OpenRun) -> None:
        """A run that could not be told: once more, offline, from its files; at the end, where it could not be opened."""
        self._trouble = run.trouble
        print(f"{run.plan.run_id}: {run.trouble}", flush=True)
        self._place = Place("offline")
        self._write_status()
        if not run.was_opened:
            self._refused.add(run.plan.run_id)
        elif not run.again:
            self._tell_all(run.plan)

    def _tell_all(self, plan: RunPlan) -> None:
        """A run from its first point on, where runs go now."""
        if plan.cell is not None:
            _, extra = cell_extra(plan, max_samples=self._settings.max_samples)
            if extra is None:
                return
            run = self._start(plan, Source(), again=True)
            run.tell(extra)
            self._end(plan.run_id, exit_code=0)
            return
        number = next(i for i, stream in enumerate(self._streams) if stream.plan.run_id == plan.run_id)
        self._open_again(number, again=True)

    def _probe(self) -> None:
        """Ask again for a server that could not be reached; online, build the workspace once."""
        due = self._settings.mode == "online" and not self._place.is_online
        if due and time.monotonic() - self._probed_s >= PROBE_EVERY_S:
            self._place, self._trouble = find_place(self._settings)
            self._probed_s = time.monotonic()
            self._write_status()
            if self._place.is_online:
                self._go_online()
        if self._settings.workspace and self._place.is_online and not self._has_workspace:
            self._has_workspace = True
            build_workspace(self._settings, self._place)

    def _go_online(self) -> None:
        """The server answers again: all that was told offline is told once more, what still runs first of all."""
        for run_id in [run_id for run_id, run in self._open.items() if not run.place.is_online]:
            self._end(run_id, exit_code=1)  # opened again as soon as it has ended
        for sent in self._sent.values():
            sent.finished &= sent.where != "offline"
        self._num_told = -1

    def _finish(self) -> None:
        """Tell what is left, and what was kept offline while the server could not be reached."""
        self._look(last=True)
        self._wait()
        self._look(last=True)  # what was met meanwhile: runs that failed online
        self._wait()
        self._tell_refused()
        if self._settings.mode == "online" and not self._place.is_online and any(s.where for s in self._sent.values()):
            self._place, trouble = find_place(self._settings)
            self._trouble = trouble or self._trouble
        if self._place.is_online:
            kept = [
                run_id for run_id, sent in self._sent.items() if sent.where == "offline" and sent.rows + sent.finished
            ]
            for run_id in kept:
                self._tell_all(self._plans[run_id])
                if run_id in self._open:
                    self._end(run_id, exit_code=0)
            self._wait()
            left = [run_id for run_id in kept if self._sent[run_id].where == "offline"]
            self._trouble = self._trouble if left else None
        self._write_status()

    def _tell_refused(self) -> None:
        """Keep offline what could not be opened, with a new service of wandb: the one that failed would refuse it again."""
        if not self._refused:
            return
        end_service()
        place, self._place = self._place, Place("offline")
        for run_id in sorted(self._refused):
            self._tell_all(self._plans[run_id])
            if run_id in self._open:
                self._end(run_id, exit_code=0)
        self._wait()
        self._place = place

    def _wait(self) -> None:
        for run in list(self._ending.values()):
            run.join()
        self._collect()

    def _write_status(self) -> None:
        text = None
        if self._trouble is not None:
            text = f"{self._trouble}; runs are kept in {self._folder / 'wandb'} (wandb sync sends them)"
        (self._folder / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
        write_json(self._folder / STATE_FOLDER / STATUS_FILE, {"trouble": text, "place": self._place.name})


def _points(stream: Stream, *, curve: bool) -> list[Point]:
    found = stream.read()
    return found + stream.read_curve() if curve else found


def _tell(run: OpenRun, points: Sequence[Point]) -> None:
    for point in points:
        run.tell(point)


def _closed(pipe: Connection, wait_s: float) -> bool:
    """Whether the other side has closed the pipe."""
    try:
        return pipe.poll(wait_s) and bool(pipe.recv()) and False
    except (EOFError, OSError):
        return True
