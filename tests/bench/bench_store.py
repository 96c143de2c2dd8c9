"""Store speed: many small stages, several processes contending for each. Prints one JSON object.

    python tests/bench/bench_store.py [--stages 10000] [--processes 8]

All processes walk through the same stages in the same order, the worst case of contention. The peer is the bare disk:
the same files written, flushed and renamed by one process without any store. Also timed: a second pass over the
finished store by a fresh process (hits). `ideal` figures are per stage too.
    {"name": "store", "ours": 2.1, "peer": 0.6, "unit": "ms/stage", "ratio": 3.5, "n": 10000, "processes": 8, ...}
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rft.infra.digest import digest
from rft.infra.store import Store

TEXT = "x" * 200


def work(root: Path, num_stages: int) -> None:
    """One process: all stages in order, one line per computation on standard output."""
    store = Store(root)
    computed = 0

    def fill(out: Path) -> None:
        nonlocal computed
        computed += 1
        (out / "a.txt").write_text(TEXT)

    for i in range(num_stages):
        store.compute("bench", digest(i), fill, meta={})
    print(computed)


def contend(root: Path, *, num_stages: int, processes: int) -> tuple[float, int]:
    """Seconds and number of computations of several processes on one store."""
    started_s = time.perf_counter()
    command = [sys.executable, __file__, "--work", str(root), "--stages", str(num_stages)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    outputs = [child.communicate()[0] for child in children]
    seconds = time.perf_counter() - started_s
    if any(child.returncode for child in children):
        raise RuntimeError("a process of the benchmark failed")
    return seconds, sum(int(out) for out in outputs)


def bare_disk(root: Path, num_stages: int) -> float:
    """Seconds for the same bytes through the plain calls: two files written, flushed, their folder renamed."""
    started_s = time.perf_counter()
    for i in range(num_stages):
        key = digest(i)
        scratch, target = root / f"{i}.tmp", root / key[:2] / key
        scratch.mkdir()
        for name in ("a.txt", "manifest.json"):
            with open(scratch / name, "w") as file:
                file.write(TEXT)
                file.flush()
                os.fsync(file.fileno())
        target.parent.mkdir(exist_ok=True)
        scratch.rename(target)
    return time.perf_counter() - started_s


def main() -> None:
    """Run the benchmark and print its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=1, help="runs of both sides; medians are reported")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to put the store (default: a temporary folder)"
    )
    parser.add_argument("--work", type=Path, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        work(arguments.work, arguments.stages)
        return
    ours, hits, peers, computed = [], [], [], []
    for _ in range(arguments.pairs):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            seconds, count = contend(Path(folder, "store"), num_stages=arguments.stages, processes=arguments.processes)
            ours.append(seconds)
            computed.append(count)
            hits.append(contend(Path(folder, "store"), num_stages=arguments.stages, processes=1)[0])
            Path(folder, "bare").mkdir()
            peers.append(bare_disk(Path(folder, "bare"), arguments.stages))
    to_ms = 1e3 / arguments.stages
    ours_ms, peer_ms = statistics.median(ours) * to_ms, statistics.median(peers) * to_ms
    row = {
        "name": "store",
        "ours": round(ours_ms, 3),
        "peer": round(peer_ms, 3),
        "unit": "ms/stage",
        "ratio": round(ours_ms / peer_ms, 2),
        "n": arguments.stages,
        "processes": arguments.processes,
        "pairs": arguments.pairs,
        "computed_once": all(count == arguments.stages for count in computed),
        "hit_ms": round(statistics.median(hits) * to_ms, 3),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
