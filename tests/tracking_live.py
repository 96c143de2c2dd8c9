"""A recording in numbers of W&B while a study runs: a real sweep, the real client, a W&B server on loopback.

    python tests/tracking_live.py --server DIR/bin/openwandb [--parts rows,plain,online,away,killed,offline] [--out FILE]

The server lives in an environment of its own (tests/wandb_server.py says how it is made). One line of JSON for each part:

    rows      rows written once a second: seconds from each row to the server's database, by kind of stage
    plain     a sweep without W&B: what the others' records and seconds stand beside
    online    the same with W&B, then once more with everything finished
    away      the server is killed for a minute in mid-run; what was kept offline is sent by `wandb sync`
    killed    the sweep is killed (SIGKILL) in mid-pretraining, and run again
    offline   kept offline, and sent by `wandb sync`

Every sweep's histories are compared with its local files, read here anew: each step of each training once, with its loss.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from composing import TINY  # noqa: E402
from filelock import FileLock  # noqa: E402
from wandb_server import Server, client_environment  # noqa: E402

from rft.infra.live import LIVE_FOLDER, Appender  # noqa: E402
from rft.infra.tracking import STATE_FOLDER, Mirror, RunPlan, TrackingSettings, stable_run_id  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]
SIZE = (
    "model.pretrain.tokens=250000", "data.num_train=48", "data.num_test=48", "data.eval_problems=48",
    "method=sft,rft", "k=4", "temperature=1.5", "model=nano-xs", "hydra/launcher=dag_local",
)  # fmt: skip
KINDS = {"finetune": "train/step", "sample": "sample/draws", "evaluate": "eval/problems"}
AWAY_S = 60.0
LONGEST_S = 1800.0  # of one sweep, on a busy machine


def measure_rows(server: Server, folder: Path, *, num_rows: int = 60) -> dict[str, Any]:
    """Seconds from a row's own time to the moment when the database has it, looked at twice a second."""
    place = TrackingSettings("online", "rows", None, (), "rows", folder, finish_s=60.0)
    plans = [RunPlan(f"rows-{kind}", kind, kind, {}, files=(f"{kind}-1.jsonl",)) for kind in KINDS]
    wrote: dict[str, float] = {}
    seen: dict[str, dict[float, float]] = {kind: {} for kind in KINDS}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            for kind, key in KINDS.items():
                for value in server.values(f"rows-{kind}", key):
                    seen[kind].setdefault(value, time.time())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with Mirror(place, plans):
        logs = {kind: Appender(folder / LIVE_FOLDER / f"{kind}-1.jsonl") for kind in KINDS}
        for number in range(1, num_rows + 1):
            solutions = {"done": number, "total": num_rows, "tokens": 9 * number, "graded": number, "correct": 0}
            rows = {"finetune": {"step": number, "loss_nats": 1 / number}, "sample": solutions, "evaluate": solutions}
            wrote[str(number)] = time.time()
            for kind, log in logs.items():
                log({"truncated": 0, **rows[kind]})
            time.sleep(1.0)
        for log in logs.values():
            log({"event": "done"})
            log.close()
    time.sleep(15.0)
    ended.set()
    watcher.join()
    waits = {kind: [at - wrote[f"{value:.0f}"] for value, at in found.items()] for kind, found in seen.items()}
    return {kind: {"rows": num_rows, "arrived": len(found), **_spread(found)} for kind, found in waits.items()}


def _spread(waits: list[float]) -> dict[str, float]:
    if not waits:
        return {}
    return {"median_s": round(statistics.median(waits), 1), "longest_s": round(max(waits), 1)}


class Sweep:
    """One study in a folder and store of its own."""

    def __init__(self, folder: Path, name: str, *, mode: str) -> None:
        self.name, self.folder = name, folder / name
        self.study = self.folder / "multirun_outputs" / name
        overrides = [*(word for word in TINY if not word.startswith("tracking.")), *SIZE]
        self.command = [
            sys.executable,
            "-m",
            "rft.run",
            "-m",
            *overrides,
            f"study_name={name}",
            f"tracking.mode={mode}",
        ]

    def start(self) -> subprocess.Popen[bytes]:
        """Runs it in a group of its own."""
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / "said.log", "ab") as said:
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
            return subprocess.Popen(
                self.command, cwd=self.folder, env=environment, stdout=said, stderr=said, start_new_session=True
            )

    def run(self, meanwhile: Callable[[subprocess.Popen[bytes]], None] = lambda process: None) -> float:
        """Seconds that it took. Raises RuntimeError where it fails."""
        started_s = time.monotonic()
        process = self.start()
        meanwhile(process)
        if process.wait(LONGEST_S) not in (0, -signal.SIGKILL):
            raise RuntimeError((self.folder / "said.log").read_text()[-3000:])
        return round(time.monotonic() - started_s, 1)

    def wait_for_step(self, step: int) -> None:
        """Until its pretraining has written a step."""
        until_s = time.monotonic() + LONGEST_S
        while (
            max((s for name, losses in self.curves().items() if "pretrain" in name for s in losses), default=0) < step
        ):
            if time.monotonic() > until_s:
                raise RuntimeError("no pretraining begins")
            time.sleep(0.1)

    def wait_for_mirror(self) -> None:
        """Until the mirror, which may outlive its sweep, has told all that it can."""
        with FileLock(self.study / STATE_FOLDER / ".lock", timeout=LONGEST_S):
            pass

    def curves(self) -> dict[str, dict[int, float]]:
        """Of each training the loss by step, as its local file has it: where a step was said twice, the first."""
        found: dict[str, dict[int, float]] = {}
        for path in sorted((self.study / LIVE_FOLDER).glob("*.jsonl")):
            for line in path.read_text().splitlines():
                with suppress(ValueError):
                    row = json.loads(line)
                    if "step" in row:
                        found.setdefault(path.stem, {}).setdefault(row["step"], row["loss_nats"])
        return found

    def results(self) -> dict[str, Any]:
        """What the records say, without what any run has anew: times, places, the study's name."""
        found = {}
        for path in sorted(self.study.glob("*/record.json")):
            record = json.loads(path.read_text())
            outcomes = (path.parent / "outcomes.jsonl.gz").read_bytes()[10:]  # behind gzip's own header
            kept = {name: record[name] for name in ("setting", "seeds", "scores", "rates", "data", "model")}
            found[record["cell_id"]] = [kept, outcomes.hex()]
        return found


def compared(sweep: Sweep, server: Server, *, within_s: float = 240.0) -> dict[str, Any]:
    """The server's histories beside the local files, once all has come or `within_s` are over."""
    until_s = time.monotonic() + within_s
    while True:
        local = sweep.curves()
        there = {name: server.pairs(stable_run_id(sweep.name, name)) for name in local}
        equal = {name: sorted(local[name].items()) == there[name] for name in local}
        if all(equal.values()) or time.monotonic() > until_s:
            break
        time.sleep(1.0)
    steps, points = (sum(map(len, found.values())) for found in (local, there))
    return {"trainings": len(local), "equal": sum(equal.values()), "steps": steps, "points": points}


def go(parts: list[str], server: Server, folder: Path) -> dict[str, dict[str, Any]]:
    """All parts in order."""
    found: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for part in parts:
        if part == "rows":
            found[part] = measure_rows(server, folder / "rows")
        else:
            sweep = Sweep(folder, part, mode={"plain": "disabled", "offline": "offline"}.get(part, "online"))
            found[part] = PARTS[part](sweep, server)
            plain = plain or sweep.results()
            found[part] |= {"cells": len(sweep.results()), "equal_results": sweep.results() == plain}
        load = f"{os.getloadavg()[0]:.1f}"
        print(json.dumps({"part": part, "load": load, **found[part]}), flush=True)
    return found


def _plain(sweep: Sweep, _server: Server) -> dict[str, Any]:
    return {"seconds": sweep.run()}


def _online(sweep: Sweep, server: Server) -> dict[str, Any]:
    seconds = sweep.run()
    found = {"seconds": seconds, **compared(sweep, server)}
    time.sleep(10.0)
    before = server.count()
    again = sweep.run()
    time.sleep(30.0)
    return {**found, "points_before": before, "again_seconds": again, "points_after": server.count()}


def _away(sweep: Sweep, server: Server) -> dict[str, Any]:
    def meanwhile(_process: subprocess.Popen[bytes]) -> None:
        sweep.wait_for_step(20)
        time.sleep(5.0)
        server.stop()
        threading.Timer(AWAY_S, server.start).start()

    seconds = sweep.run(meanwhile)
    sweep.wait_for_mirror()
    found = {"seconds": seconds, "away_s": AWAY_S, **compared(sweep, server, within_s=60.0)}
    return {**found, **_synced(sweep, server)}


def _synced(sweep: Sweep, server: Server) -> dict[str, Any]:
    """What the mirror kept offline, sent as its warning says; then the histories once more."""
    runs = sorted((sweep.study / "wandb").glob("offline-run-*"))
    if not runs:
        return {"kept_offline": 0}
    told = "wandb sync sends them" in (sweep.folder / "said.log").read_text()
    command = [str(Path(sys.executable).with_name("wandb")), "sync", *map(str, runs)]
    environment = {**os.environ, **client_environment(sweep.folder / "client")}
    with suppress(subprocess.TimeoutExpired):  # what has come by then is compared
        subprocess.run(command, env=environment, check=True, timeout=LONGEST_S, capture_output=True)
    after = compared(sweep, server)
    return {"kept_offline": len(runs), "told": told, **{f"{name}_after_sync": n for name, n in after.items()}}


def _killed(sweep: Sweep, server: Server) -> dict[str, Any]:
    at = 40

    def meanwhile(process: subprocess.Popen[bytes]) -> None:
        sweep.wait_for_step(at)
        os.killpg(process.pid, signal.SIGKILL)

    sweep.run(meanwhile)
    time.sleep(20.0)
    kept = sum(len(server.pairs(stable_run_id(sweep.name, name))) for name in sweep.curves())
    return {"killed_at_step": at, "points_then": kept, "seconds": sweep.run(), **compared(sweep, server)}


def _offline(sweep: Sweep, server: Server) -> dict[str, Any]:
    return {"seconds": sweep.run(), **_synced(sweep, server)}


PARTS = {"rows": _plain, "plain": _plain, "online": _online, "away": _away, "killed": _killed, "offline": _offline}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="W&B while a study runs, in numbers.")
    parser.add_argument("--server", required=True, help="the command `openwandb` of another environment")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, in this order")
    parser.add_argument("--out", type=Path, help="a JSON file for the numbers")
    options = parser.parse_args()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the server's disk is not what is measured
    with tempfile.TemporaryDirectory(prefix="tracking-live-") as name, tempfile.TemporaryDirectory(dir=memory) as base:
        server = Server(options.server, Path(base))
        os.environ |= server.variables
        try:
            found = go(options.parts.split(","), server, Path(name))
        finally:
            server.stop()
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
