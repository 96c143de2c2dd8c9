"""Many small stages in the store, several processes contending for each, beside the bare work of the disk.

    python tests/bench/bench_store.py [--stages 10000] [--processes 8] [--pairs 3] [--folder ON_THE_DISK_TO_MEASURE]

All processes walk through the same stages in the same order, the worst case of contention. The peer: the same files
written, flushed and renamed by one process without any store. `store-hits`: a second pass over the finished store by a fresh
process, beside the first one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rft.infra.digest import digest
from rft.infra.store import Store
from tests.bench.harness import Cost, in_process, row, tell

TEXT = "x" * 200


def work(root: Path, num_stages: int) -> None:
    """One process: all stages in order; printed is how many it computed."""
    store = Store(root)
    computed = 0

    def fill(out: Path) -> None:
        nonlocal computed
        computed += 1
        (out / "a.txt").write_text(TEXT)

    for i in range(num_stages):
        store.compute("bench", digest(i), fill, meta={})
    print(computed)


def contend(root: Path, *, stages: int, processes: int) -> Cost:
    """Several processes on one store. Raises RuntimeError where a stage was computed twice or never."""
    command = [sys.executable, __file__, "--work", str(root), "--stages", str(stages)]
    before = {path.name for path in (root / "bench").glob("*/*")} if root.is_dir() else set()
    started_s = time.perf_counter()
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    outputs = [child.communicate()[0] for child in children]
    wall_s = time.perf_counter() - started_s
    computed = sum(int(out) for out in outputs)
    if any(child.returncode for child in children) or computed != stages - len(before):
        raise RuntimeError(f"{computed} computations of {stages} stages, of which {len(before)} were there")
    return Cost(wall_s, wall_s, stages)


def bare_disk(root: Path, stages: int) -> int:
    """The same bytes through the plain calls: two files written, flushed, their folder renamed."""
    for i in range(stages):
        key = digest(i)
        scratch, target = root / f"{i}.tmp", root / key[:2] / key
        scratch.mkdir(parents=True)
        for name in ("a.txt", "manifest.json"):
            with open(scratch / name, "w") as file:
                file.write(TEXT)
                file.flush()
                os.fsync(file.fileno())
        target.parent.mkdir(exist_ok=True)
        scratch.rename(target)
    return stages


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where the store lies (default: a temporary folder)")
    parser.add_argument("--work", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        work(options.work, options.stages)
        return
    costs, hits = [], []
    for _ in range(options.pairs):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            store, bare = Path(folder, "store"), Path(folder, "bare")
            ours = contend(store, stages=options.stages, processes=options.processes)
            again = contend(store, stages=options.stages, processes=1)
            costs.append((ours, in_process(lambda bare=bare: bare_disk(bare, options.stages))))
            hits.append((again, ours))
    words = {"work": f"{options.stages:,} stages, {options.processes} processes contending for each"}
    bare_words = {"against": "the same files written, flushed and renamed by one process"}
    tell(row("store", costs, figure=_ms, unit="ms/stage", must=2.0, **words, **bare_words))
    words["work"] = f"{options.stages:,} finished stages asked for by one process"
    tell(row("store-hits", hits, figure=_ms, unit="ms/stage", **words, against="computing them, as above"))


def _ms(cost: Cost) -> float:
    return 1e3 * cost.wall_s / cost.units


if __name__ == "__main__":
    main()
