"""The mirror against a W&B server on loopback: the real client, online. Where the server is not installed, skipped
(tests/wandb_server.py says how to set it up). `python tests/tracking_live.py` records the same of whole sweeps, in numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_tracking import PLAN, RUN_ID, say, settings
from wandb_server import Server, client_environment

from rft.infra.live import LIVE_FOLDER, Appender
from rft.infra.tracking import Mirror

SERVER = os.environ.get("RFT_OPENWANDB", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SERVER, reason="RFT_OPENWANDB does not name the command of a W&B server (tests/wandb_server.py)"
    ),
]
WITHIN_S = 30.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server(SERVER, tmp_path / "server")
    for name, value in found.variables.items():
        monkeypatch.setenv(name, value)
    yield found
    found.stop()


def wait_for(server: Server, count: int, *, within_s: float) -> None:
    until_s = time.monotonic() + within_s
    while len(server.steps(RUN_ID)) < count:
        assert time.monotonic() < until_s, f"{len(server.steps(RUN_ID))} of {count} points after {within_s} s"
        time.sleep(0.5)


def test_a_running_curve_arrives_within_half_a_minute_and_goes_on_after_a_kill(server: Server, tmp_path: Path):
    study = tmp_path / "study"
    with Mirror(settings(study, mode="online", linger_s=120.0), (PLAN,)):
        say(study, 1, 10, end=None)
        wait_for(server, 10, within_s=WITHIN_S)
    say(study, 1, 25)  # begins anew, and says again what it has said
    with Mirror(settings(study, mode="online", linger_s=120.0), (PLAN,)):
        wait_for(server, 25, within_s=WITHIN_S)
    assert server.steps(RUN_ID) == list(range(25))
    with Mirror(settings(study, mode="online", linger_s=120.0), (PLAN,)):
        pass
    assert server.steps(RUN_ID) == list(range(25))


def test_a_server_that_is_away_loses_nothing_and_holds_nothing_up(server: Server, tmp_path: Path):
    study = tmp_path / "study"
    with Mirror(settings(study, mode="online", linger_s=240.0), (PLAN,)):
        say(study, 1, 5, end=None)
        wait_for(server, 5, within_s=WITHIN_S)
        server.stop()
        threading.Timer(20.0, server.start).start()
        started_s = time.monotonic()
        log = Appender(study / LIVE_FOLDER / PLAN.files[0])
        for step in range(6, 31):
            log({"step": step, "loss_nats": 1.0})
        log.close()
        assert time.monotonic() - started_s < 1.0
        wait_for(server, 30, within_s=120.0)
    assert server.steps(RUN_ID) == list(range(30))


def test_an_offline_study_is_synced_by_wandb_itself(server: Server, tmp_path: Path):
    study = tmp_path / "study"
    say(study, 1, 12)
    with Mirror(settings(study), (PLAN,)):
        pass
    (folder,) = study.glob(f"wandb/offline-run-*-{RUN_ID}")
    command = [Path(sys.executable).with_name("wandb"), "sync", str(folder)]
    subprocess.run(
        command,
        env={**os.environ, **client_environment(tmp_path / "own")},
        check=True,
        timeout=120,
        capture_output=True,
    )
    wait_for(server, 12, within_s=WITHIN_S)
    assert server.steps(RUN_ID) == list(range(12))


def test_a_run_id_that_is_taken_is_gone_on_with_and_what_was_computed_stays(server: Server, tmp_path: Path):
    """By a copy of the study that nobody knows of: its points stay, those that are missing are added."""
    say(tmp_path / "copy", 1, 6)
    with Mirror(settings(tmp_path / "copy", mode="online", linger_s=60.0), (PLAN,)):
        pass
    wait_for(server, 6, within_s=WITHIN_S)
    study = tmp_path / "study"
    say(study, 1, 12)
    before = (study / LIVE_FOLDER / PLAN.files[0]).read_bytes()
    started_s = time.monotonic()
    with Mirror(settings(study, mode="online", linger_s=60.0), (PLAN,)):
        pass
    assert time.monotonic() - started_s < 60.0 + 5.0  # tracking.finish_s
    wait_for(server, 12, within_s=WITHIN_S)
    assert set(server.steps(RUN_ID)) == set(range(12))
    assert (study / LIVE_FOLDER / PLAN.files[0]).read_bytes() == before
