"""`rft stop DIR ...`: ends the sweeps that run into study folders, whatever runs their stages.

    rft stop multirun_outputs/quickstart
    multirun_outputs/quickstart: the sweep by SLURM jobs (process 4711 on login1) has stopped; what was ...

The sweep's own process is asked, on whichever machine it is, through the study's folder: it stops its workers, Ray tasks or
SLURM jobs as Ctrl-C would. Where that process is gone, SLURM jobs that it left in the queue are cancelled from here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.records import STUDY_FILE


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, stop, print; 2 where a folder is no study, 1 where a sweep could not be stopped."""
    parser = argparse.ArgumentParser(prog="rft stop", description="End the sweeps that run into study folders.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="study folders")
    parser.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="for the sweep's end (default: 60)")
    options = parser.parse_args(arguments)
    stopped = True
    for folder in options.folders:
        if not (folder / STUDY_FILE).is_file():
            print(f"rft stop: {folder} is no study folder: it has no {STUDY_FILE}", file=sys.stderr)
            return 2
        try:
            ended, text = stop(folder, wait_s=options.wait)
        except ValueError as error:
            print(f"rft stop: {error}", file=sys.stderr)
            return 2
        stopped = stopped and ended
        print(f"{folder}: {text}")
    return 0 if stopped else 1


def stop(folder: Path, *, wait_s: float) -> tuple[bool, str]:
    """(whether no sweep runs now, what was done) for one study."""
    from rft.infra import driver

    said = driver.read(folder)
    if said is None or not driver.is_alive(folder, said):
        return cancel_left(folder)
    now = driver.ask_to_stop(folder, said, wait_s=wait_s)
    who = f"the sweep by {said.engine} ({said.owner.text()})"
    if now.token == said.token and now.ended is None and driver.is_alive(folder, said):
        return False, f"{who} has been asked to stop, and has not yet after {wait_s:.0f} s"
    return True, f"{who} has stopped; what was finished stays finished"


def cancel_left(folder: Path) -> tuple[bool, str]:
    """Cancel the SLURM jobs of a sweep whose own process is gone."""
    from rft.infra.cluster import register, slurm_queue
    from rft.infra.live import SLURM_FOLDER

    place = folder / SLURM_FOLDER
    if not register.is_there(place):
        return True, "no sweep runs"
    name = register.Register(place).name
    queued = slurm_queue.jobs(name)
    if queued is None:
        return False, f"SLURM does not answer here; on a node where it does: scancel --name={name}"
    if not queued:
        return True, "no sweep runs"
    if not slurm_queue.cancel(name):
        return False, f"SLURM does not cancel its {len(queued)} jobs: scancel --name={name}"
    return True, f"its own process is gone; the {len(queued)} SLURM jobs that it left are cancelled"
