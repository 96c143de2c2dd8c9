"""Runs the parts of tests/gpu/smoke.sh one after the other, each within its time, and keeps all in one JSON.

    PYTHONPATH=. python tests/gpu/smoke.py --out FOLDER [--parts training,quickstart] [--limit 270] [--small]

`FOLDER/gpu.json` is written anew every second, `FOLDER/gpu.log` has everything said. Workers import their libraries while
others measure; none touches the device before it is told. A part that fails or overruns is noted, and the next one runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PARTS = {
    "training": 80.0,
    "packing": 30.0,
    "sampling": 80.0,
    "sharing": 45.0,
    "paged": 40.0,
    "quickstart": 150.0,
}  # at most, s
WORKERS = {"sharing": ("cell-1", "cell-2")}  # of a part; else one of its name
START_S = 90.0  # importing PyTorch from a cold disk


class Worker:
    """A process that runs one part when told (tests/gpu/worker.py)."""

    def __init__(self, name: str, folder: Path, *, small: bool, log: Any) -> None:
        command = [sys.executable, str(HERE / "worker.py"), name, str(folder), *(["--small"] if small else [])]
        self.words: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.words.put(line.strip())
        self.words.put("died")

    def go(self) -> None:
        """Tell it to run its part."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write("go\n")
            self.process.stdin.flush()

    def wait(self, seconds: float) -> str:
        """Its next word, or `overran`."""
        try:
            return self.words.get(timeout=max(0.1, seconds))
        except queue.Empty:
            return "overran"

    def stop(self) -> None:
        """End it and what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Smoke:
    """All parts and what is known so far."""

    def __init__(self, out: Path, *, parts: list[str], limit_s: float, small: bool) -> None:
        self.out, self.parts, self.small = out, parts, small
        self.parts_folder = out / "parts"
        self.parts_folder.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        self.limit_s = limit_s
        self.log = (out / "gpu.log").open("a", encoding="utf-8")
        self.found: dict[str, Any] = {
            "machine": machine(),
            "small": small,
            "limit_s": limit_s,
            "notes": {},
            "seconds": {},
        }
        self.workers: dict[str, Worker] = {}

    def left(self) -> float:
        """Seconds of the whole limit that are left."""
        return self.limit_s - (time.monotonic() - self.started)

    def run(self) -> int:
        """Every part; returns how many failed."""
        for part in self.parts:
            for name in WORKERS.get(part, (part,) if part != "quickstart" else ()):
                self.workers[name] = Worker(name, self.parts_folder, small=self.small, log=self.log)
        threading.Thread(target=self._keep_writing, daemon=True).start()
        failed = 0
        try:
            for part in self.parts:
                failed += not self._part(part)
        finally:
            for worker in self.workers.values():
                worker.stop()
            self.write()
        return failed

    def _part(self, part: str) -> bool:
        began = time.monotonic()
        deadline = began + min(PARTS[part], self.left())
        try:
            if part == "quickstart":
                word = self._quickstart(deadline)
            elif part == "sharing":
                word = self._sharing(deadline)
            else:
                worker = self.workers[part]
                word = self._ready(worker)
                if word == "ready":
                    worker.go()
                    word = worker.wait(deadline - time.monotonic())
                worker.stop()
        except Exception as error:
            word = f"{type(error).__name__}: {error}"
        self.found["notes"][part] = word
        self.found["seconds"][part] = round(time.monotonic() - began, 1)
        print(f"{part}: {word} after {self.found['seconds'][part]} s", flush=True)
        self.write()
        return word == "done"

    def _ready(self, worker: Worker) -> str:
        return worker.wait(min(START_S, self.left()))

    def _sharing(self, deadline: float) -> str:
        """Two cells one after the other, then both at once, in two processes that are warm."""
        pair = [self.workers[name] for name in WORKERS["sharing"]]
        words = [self._ready(worker) for worker in pair]
        for worker in pair:  # the first run warms up
            worker.go()
        words += [worker.wait(deadline - time.monotonic()) for worker in pair]
        began = time.monotonic()
        for worker in pair:
            worker.go()
            words.append(worker.wait(deadline - time.monotonic()))
        apart_s = time.monotonic() - began
        began = time.monotonic()
        for worker in pair:
            worker.go()
        words += [worker.wait(deadline - time.monotonic()) for worker in pair]
        together_s = time.monotonic() - began
        for worker in pair:
            worker.stop()
        bad = [word for word in words if word not in ("ready", "done")]
        if not bad:
            self.found["sharing"] = {"apart_s": apart_s, "together_s": together_s, "ratio": apart_s / together_s}
        return bad[0] if bad else "done"

    def _quickstart(self, deadline: float) -> str:
        """The embedded study on the device, from nothing."""
        from sizes import FULL, SMALL

        sizes = SMALL if self.small else FULL
        scratch = self.out / "quickstart"
        command = [
            *(sys.executable, "-m", "rft.run", "+study=quickstart", f"runtime.device={sizes.device}"),
            *("tracking.mode=disabled", f"store.root={scratch}/.store", f"hydra.sweep.dir={scratch}/study"),
            *sizes.quickstart,
        ]
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            status: int | str = process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            status = "overran"
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5.0)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.found["quickstart"] = {
            "seconds": time.monotonic() - began,
            "command": command[1:],
            "cells": cells(scratch / "study"),
            "stages": stages(scratch / ".store"),
        }
        return "done" if status == 0 else str(status)

    def _keep_writing(self) -> None:
        while True:
            time.sleep(1.0)
            self.write()

    def write(self) -> None:
        """The JSON as far as it is known."""
        for path in self.parts_folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                self.found.setdefault("parts", {})[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        name = self.out / f"gpu.json.{threading.get_ident()}"
        name.write_text(json.dumps(self.found, indent=1), encoding="utf-8")
        name.rename(self.out / "gpu.json")


def machine() -> dict[str, Any]:
    """Processor, GPU, driver, versions and commit, without loading a library."""
    from rft.infra.devices import num_cpus
    from rft.infra.origin import cpu_model
    from rft.infra.provenance import git_state, package_versions

    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        gpu = None
    commit, dirty = git_state(HERE)
    return {
        "gpu": gpu,
        "cpu": cpu_model(),
        "cpus": num_cpus(),
        "python": platform.python_version(),
        "versions": package_versions(),
        "commit": commit or os.environ.get("COMMIT"),
        "dirty": dirty,
    }


def cells(study: Path) -> list[dict[str, Any]]:
    """What the finished cells of a study found."""
    found = []
    for path in sorted(study.glob("*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        setting, score = record["setting"], record["scores"]["maj1@1"]
        found.append({"cell": path.parent.name, "method": setting["method"], "maj1@1": score["value"], "n": score["n"]})
    return found


def stages(store: Path) -> dict[str, dict[str, float]]:
    """Number and seconds of the stages of each kind."""
    found: dict[str, dict[str, float]] = {}
    for path in store.glob("*/*/*/manifest.json"):
        seconds = json.loads(path.read_text(encoding="utf-8")).get("seconds", 0.0)
        row = found.setdefault(path.relative_to(store).parts[0], {"count": 0, "seconds": 0.0, "longest_s": 0.0})
        row["count"] += 1
        row["seconds"] += seconds
        row["longest_s"] = max(row["longest_s"], seconds)
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="What only a GPU can show, in one JSON.")
    parser.add_argument("--out", type=Path, default=Path("multirun_outputs/gpu"))
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--limit", type=float, default=270.0, help="seconds of the whole")
    parser.add_argument("--small", action="store_true", help="toy sizes on the CPU")
    options = parser.parse_args()
    parts = options.parts.split(",")
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        parser.error(f"unknown parts {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    failed = Smoke(options.out.resolve(), parts=parts, limit_s=options.limit, small=options.small).run()
    print(f"{len(parts) - failed} of {len(parts)} parts done: {options.out / 'gpu.json'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
