"""Sweeps that are asked to stop from another process, and what their files say of them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rft.cli.stop import stop
from rft.infra import driver
from rft.infra.cluster.queue_text import driver_lines
from rft.infra.owners import Owner

SWEEP = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from rft.infra.driver import Driver
    with Driver.at_work(Path(sys.argv[1]), engine="local processes") as at_work:
        while True:
            at_work.heed()
            time.sleep(0.05)
    """
)


def sweep(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", SWEEP, str(folder)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while (said := driver.read(folder)) is None or said.owner.pid != process.pid:
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def test_a_sweep_stops_when_another_process_asks(tmp_path: Path):
    process = sweep(tmp_path)
    assert driver_lines(tmp_path)[0].startswith(f"  run by local processes: process {process.pid} on ")
    ended, text = stop(tmp_path, wait_s=30.0)
    assert ended
    assert "has stopped" in text
    assert process.wait(timeout=30) != 0
    said = driver.read(tmp_path)
    assert said is not None
    assert said.how == "stopped"
    assert "stopped at" in driver_lines(tmp_path)[0]


def test_the_wish_to_stop_is_for_one_sweep(tmp_path: Path):
    process = sweep(tmp_path)
    stop(tmp_path, wait_s=30.0)
    process.wait(timeout=30)
    with driver.Driver.at_work(tmp_path, engine="local processes") as again:
        again.heed()  # the wish was for the one before
    assert driver_lines(tmp_path) == []  # complete


def test_a_driver_that_was_killed_is_gone_and_stop_finds_nothing(tmp_path: Path):
    process = sweep(tmp_path)
    process.kill()
    process.wait()
    assert "gone without a word" in driver_lines(tmp_path)[0]
    assert stop(tmp_path, wait_s=1.0) == (True, "no sweep runs")


def test_a_driver_elsewhere_lives_as_long_as_it_says_something(tmp_path: Path):
    (tmp_path / "live").mkdir()
    said = driver.Driven("t", "SLURM jobs", Owner("elsewhere", "elsewhere", os.getpid(), 0), time.time() - 1000)
    log = tmp_path / "live" / driver.DRIVER_FILE
    assert not driver.is_alive(tmp_path, said)
    log.write_text("{}\n")
    assert driver.is_alive(tmp_path, said)
    os.utime(log, (time.time() - 100, time.time() - 100))
    assert not driver.is_alive(tmp_path, said)


def test_the_end_of_one_sweep_leaves_what_another_said(tmp_path: Path):
    with driver.Driver.at_work(tmp_path, engine="local processes"):
        process = sweep(tmp_path)
    said = driver.read(tmp_path)
    assert said is not None
    assert (said.owner.pid, said.ended) == (process.pid, None)
    assert stop(tmp_path, wait_s=30.0)[0]
    process.wait(timeout=30)


def test_a_number_that_another_process_has_now_is_not_the_driver(tmp_path: Path):
    said = driver.Driven("t", "local processes", replace(Owner.this(), start=1), time.time())
    assert not driver.is_alive(tmp_path, said)


def test_a_sweep_that_broke_says_so(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), driver.Driver.at_work(tmp_path, engine="Ray tasks"):
        _ = 1 / 0
    assert "was run by Ray tasks: ZeroDivisionError" in driver_lines(tmp_path)[0]
