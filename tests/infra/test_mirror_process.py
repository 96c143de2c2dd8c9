"""The mirror's process with a server that comes and goes: runs are stand-ins that note what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_tracking import PLAN, RUN_ID, say, settings

from rft.infra import wandb_process
from rft.infra.tracking import RunPlan, Sent
from rft.infra.wandb_process import MirrorProcess
from rft.infra.wandb_runs import Place, Point

OTHER = RunPlan("finetune-2", "finetune nano-m", "finetune", {}, files=("finetune-2.jsonl",))
ONLINE = Place("online", "http://server/rft")


class Run:
    """Instead of OpenRun: told and ended at once."""

    made: list[Run]
    fails = False  # to be opened online

    def __init__(self, plan: RunPlan, *_: Any, place: Place, sent: Sent, again: bool, **__: Any) -> None:
        self.plan, self.place, self.sent, self.again, self.trouble = plan, place, sent, again, None
        self.points: list[int] = []
        self.was_opened = True
        self.ended = False
        sent.rows, sent.where, sent.finished = 0, place.name, False
        Run.made.append(self)

    def start(self) -> None:
        if Run.fails and self.place.is_online:
            self.trouble, self.was_opened, self.ended = "Timed out", False, True

    def join(self) -> None: ...

    def is_alive(self) -> bool:
        return not self.ended

    def tell(self, what: Any) -> None:
        assert isinstance(what, Point)
        self.points.append(what.number)
        self.sent.rows = what.number + 1

    def end(self, *, exit_code: int) -> None:
        if self.ended:
            return
        self.ended = True
        self.sent.finished = exit_code == 0


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Where runs can go, to be changed; asked at every look."""
    where = [Place("offline")]
    Run.made = []
    monkeypatch.setattr(wandb_process, "find_place", lambda _: (where[0], None))
    monkeypatch.setattr(wandb_process, "OpenRun", Run)
    monkeypatch.setattr(wandb_process, "PROBE_EVERY_S", 0.0)
    return where


def test_what_was_told_offline_is_told_as_soon_as_the_server_answers(tmp_path: Path, place: list[Place]) -> None:
    """Of a training that still runs and of one that is finished, not only once the sweep ends."""
    say(tmp_path, 1, 5, end=None)
    (tmp_path / "live" / OTHER.files[0]).write_bytes((tmp_path / "live" / PLAN.files[0]).read_bytes())
    with open(tmp_path / "live" / OTHER.files[0], "a") as file:
        file.write('{"time": 1764302406.0, "event": "done"}\n')
    process = MirrorProcess(settings(tmp_path, mode="online"), (PLAN, OTHER))
    process._look()
    assert {run.plan.run_id: run.ended for run in Run.made} == {RUN_ID: False, OTHER.run_id: True}
    process._look()
    assert len(Run.made) == 2, "nothing new to tell"
    place[0] = ONLINE
    for _ in range(3):
        process._look()
    online = {run.plan.run_id: run for run in Run.made if run.place.is_online}
    assert len(Run.made) == 4
    assert online[RUN_ID].points == online[OTHER.run_id].points == list(range(5))
    assert not online[RUN_ID].ended
    assert online[OTHER.run_id].ended
    assert all(run.ended for run in Run.made[:2])
    say(tmp_path, 6, 7)
    process._look()
    assert online[RUN_ID].points == list(range(7))
    assert len(Run.made) == 4


def test_a_run_that_is_not_opened_is_kept_offline_at_the_end_by_a_new_service(
    tmp_path: Path, place: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service that failed refuses its id from then on."""
    services: list[int] = []
    monkeypatch.setattr(wandb_process, "end_service", lambda: services.append(len(Run.made)))
    monkeypatch.setattr(Run, "fails", True)
    place[0] = ONLINE
    say(tmp_path, 1, 5)
    process = MirrorProcess(settings(tmp_path, mode="online"), (PLAN,))
    for _ in range(3):
        process._look()
    assert [run.place for run in Run.made] == [ONLINE], "not tried again and again"
    place[0] = Place("offline")
    process._finish()
    assert services == [1]
    kept = Run.made[1]
    assert (kept.place.mode, kept.points) == ("offline", list(range(5)))
