"""One open run of W&B: a thread that opens it, tells it what comes through a queue, and ends it. With rft.infra.wandb_process
the only place that imports wandb.

    run = OpenRun(plan, settings, place=Place("offline"), sent=Sent.of(folder, plan.run_id), source=Source(start_s=0.0))
    run.start()
    run.tell(Point(0, {"train/step": 1, "train/loss": 2.1, "_timestamp": 1764302401.3}))
    run.end(exit_code=0)                 # returns at once; run.join() waits
    run.trouble                          # None, or what went wrong

A thread each, because a run that waits for the server must hold up no other.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rft.infra.tracking import RunPlan, Sent, TrackingSettings

INIT_TIMEOUT_S = 20.0
PROBE_TIMEOUT_S = 5.0
STATS_EVERY_S = 10.0
TRANSMIT_EVERY_S = 5.0
KEEP_EVERY_S = 2.0  # how often it is noted how far a run has come
_opening = threading.Lock()  # wandb opens one run at a time

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]  # column names, rows


@dataclass(frozen=True)
class Place:
    """Where runs go."""

    mode: str  # offline | online
    name: str = "offline"  # of the server and project, so that another one is told everything

    @property
    def is_online(self) -> bool:
        """Whether they are sent as they come."""
        return self.mode == "online"


@dataclass(frozen=True)
class Source:
    """The process that computes what a run shows."""

    start_s: float | None = None  # seconds since the epoch
    pid: int | None = None  # on this machine, for system metrics; None: none are taken


@dataclass(frozen=True)
class Point:
    """What a run is told."""

    number: int  # among the points of its files: its W&B step
    values: Mapping[str, Any] = field(default_factory=dict)
    alert: tuple[str, str] | None = None  # title, text


@dataclass(frozen=True)
class Extra:
    """What a run is told beside the points of its files."""

    summary: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)


class OpenRun(threading.Thread):
    """See the module."""

    def __init__(
        self,
        plan: RunPlan,
        settings: TrackingSettings,
        *,
        place: Place,
        sent: Sent,
        source: Source,
        again: bool = False,
    ) -> None:
        super().__init__(name=f"wandb {plan.run_id}", daemon=True)
        self.plan = plan
        self.trouble: str | None = None
        self.was_opened = False
        self.place = place
        self.sent = sent
        self.again = again  # a second try
        self._settings = settings
        self._source = source
        self._queue: queue.SimpleQueue[Point | Extra | int] = queue.SimpleQueue()
        self._next = 0  # points before are known there
        self._kept_s = 0.0

    def tell(self, what: Point | Extra) -> None:
        """To be told in its turn."""
        self._queue.put(what)

    def end(self, *, exit_code: int) -> None:
        """End the run once all is told: 0 for done, 1 for failed."""
        self._queue.put(exit_code)

    def run(self) -> None:
        """Until the end."""
        try:
            self._serve()
        except Exception as error:  # wandb raises many kinds; none may end the mirror
            self.trouble = f"{type(error).__name__}: {error}"

    def _serve(self) -> None:
        with _opening:
            run = self._open()
        self.was_opened = True
        try:
            while not isinstance(told := self._queue.get(), int):
                self._tell(run, told)
        except BaseException:
            run.finish(exit_code=1)
            raise
        run.finish(exit_code=told)
        self.sent.finished = told == 0
        self.sent.write()

    def _open(self) -> Any:
        import wandb

        folder = self._settings.folder.absolute()
        earlier = list((folder / "wandb").glob(f"offline-run-*-{self.plan.run_id}"))
        run = wandb.init(
            project=self._settings.project,
            entity=self._settings.entity,
            id=self.plan.run_id,
            name=self.plan.name,
            group=self._settings.group,
            job_type=self.plan.job_type,
            tags=list(self._settings.tags),
            config=dict(self.plan.config),
            dir=str(folder),
            resume="allow",
            reinit="create_new",
            settings=quiet_settings(self.place.mode, self._source),
        )
        for old in earlier:  # all of it is told again
            if old.name != Path(run.settings.sync_dir).name:
                shutil.rmtree(old, ignore_errors=True)
        self._next = self._first(run)
        self.sent.rows, self.sent.where, self.sent.finished = self._next, self.place.name, False
        if self.plan.cell is None:  # a cell has one point, drawn as a bar: no axis
            _define_axes(run)
        if self.place.is_online and self.plan.links:
            run.notes = _notes(self.plan.links, url=run.url)
        return run

    def _first(self, run: Any) -> int:
        """The first point that is not there yet: the server says so where it resumes the run, else our own count."""
        if not self.place.is_online:
            return 0
        if run.resumed:
            return int(run.starting_step)
        return self.sent.rows if self.sent.where == self.place.name else 0

    def _tell(self, run: Any, told: Point | Extra) -> None:
        if isinstance(told, Extra):
            self._tell_extra(run, told)
        elif told.number >= self._next:
            if told.alert is not None:
                run.alert(told.alert[0], told.alert[1], level="ERROR", wait_duration=0)
            run.log(dict(told.values), step=told.number, commit=True)
            self._next = self.sent.rows = told.number + 1
        if time.monotonic() - self._kept_s > KEEP_EVERY_S or self._queue.empty():
            self._kept_s = time.monotonic()
            self.sent.write()

    def _tell_extra(self, run: Any, extra: Extra) -> None:
        import wandb

        tables = {
            name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])
            for name, (columns, rows) in extra.tables.items()
        }
        images = {f"figures/{name}": wandb.Image(str(path)) for name, path in extra.images.items()}
        # W&B's default workspace has panels for what is logged, none for what stands in the summary alone
        scores = {name: value for name, value in extra.summary.items() if type(value) in (int, float)}
        if scores or tables or images:
            # a row with the point that follows, if any: a step of its own would be the number of that point, which were lost
            run.log({**scores, **tables, **images}, commit=False)
        run.summary.update(dict(extra.summary))


def end_service() -> None:
    """End wandb's service, once all runs have ended: it holds the id of a run whose opening failed, and refuses to open that
    again, offline too."""
    with suppress(Exception):
        import wandb

        wandb.teardown()


def _define_axes(run: Any) -> None:
    """What the points of a curve are drawn against; tokens and FLOPs are logged beside and can be chosen."""
    axes = {"train": "step", "sample": "draws", "eval": "problems"}
    for prefix, axis in axes.items():
        run.define_metric(f"{prefix}/{axis}", hidden=True)
        run.define_metric(f"{prefix}/*", step_metric=f"{prefix}/{axis}")
    run.define_metric("train/tokens")
    run.define_metric("train/flops")
    run.define_metric("train/loss", step_metric="train/step", summary="last")


def _notes(links: Mapping[str, str], *, url: str) -> str:
    runs = url.rsplit("/", 1)[0]
    return "Rests on " + ", ".join(f"[{name}]({runs}/{run_id})" for name, run_id in links.items())


def quiet_settings(mode: str, source: Source) -> Any:
    """Nothing of the machine, its user or its code is collected but the load of the computing process: the record has the
    provenance, without host names."""
    import wandb

    return wandb.Settings(
        mode=mode,
        silent=True,
        console="off",
        host="",
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        save_code=False,
        symlink=False,
        init_timeout=INIT_TIMEOUT_S,
        x_disable_meta=True,
        x_disable_stats=source.pid is None,
        x_stats_pid=source.pid or os.getpid(),
        x_stats_track_process_tree=True,
        x_stats_sampling_interval=STATS_EVERY_S,
        x_start_time=source.start_s,
        x_save_requirements=False,
        x_file_stream_transmit_interval=TRANSMIT_EVERY_S,
    )


def find_place(settings: TrackingSettings) -> tuple[Place, str | None]:
    """Where runs can go now, and what stands in the way of sending them: asked with one short request."""
    if settings.mode != "online":
        return Place("offline"), None
    import requests
    import wandb

    server = str(wandb.setup().settings.base_url).rstrip("/")
    key = _api_key(server)
    if not key:
        return Place("offline"), f"there is no key for {server} (wandb login)"
    try:
        asked = {"query": "query Viewer { viewer { id entity } }"}
        reply = requests.post(f"{server}/graphql", json=asked, auth=("api", key), timeout=PROBE_TIMEOUT_S)
        known = reply.status_code == 200 and reply.json()["data"]["viewer"] is not None
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        return Place("offline"), f"{server} cannot be reached ({type(error).__name__})"
    if not known:
        return Place("offline"), f"{server} does not know the key (status {reply.status_code})"
    return Place("online", f"{server}/{settings.entity or ''}/{settings.project}"), None


def _api_key(server: str) -> str | None:
    """From the variable, or where `wandb login` keeps it."""
    import requests

    found = requests.utils.get_netrc_auth(server)
    return os.environ.get("WANDB_API_KEY") or (found[1] if found else None)
