"""Seconds until the first line of help, and of other short commands, beside importing torch and transformers.

    python tests/bench/bench_start.py [--rounds 5]

Prints one JSON object per line: {"name": "start-run-help", "ours": 0.06, "peer": 2.0, "unit": "s", "ratio": 0.03}. Each is
the best of several rounds, in turn; run it on an idle machine. Target: help at a ratio of 0.1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RFT = ("-c", "import rft.cli; rft.cli.main()")
PEER = ("-c", "import torch, transformers; print(torch.__version__)")
OURS = {
    "start-rft-help": (*RFT, "--help"),
    "start-run-help": ("-m", "rft.run", "--help"),
    "start-grade-help": (*RFT, "grade", "--help"),
    "start-plot-help": (*RFT, "plot", "--help"),
    "start-completion": (*RFT, "-sc", "query=bash"),
    "start-plan": (*RFT, "plan"),
}


def first_line_s(arguments: tuple[str, ...]) -> float:
    """Seconds from the start of the process to the end of its first line."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COMP_LINE": "rft run model=n"}
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
    assert line.strip(), f"{arguments} printed nothing"
    return seconds


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time to the first line.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in ("peer", *OURS)}
    for _ in range(rounds + 1):  # the first fills the caches of the disk
        for name, arguments in {"peer": PEER, **OURS}.items():
            times[name].append(first_line_s(arguments))
    best = {name: min(seconds[1:]) for name, seconds in times.items()}
    for name in OURS:
        row = {"name": name, "ours": round(best[name], 3), "peer": round(best["peer"], 3), "unit": "s"}
        print(json.dumps({**row, "ratio": round(best[name] / best["peer"], 3)}))


if __name__ == "__main__":
    main()
