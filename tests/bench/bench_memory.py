"""Peak memory of a cell at k = 10, 100, 1000: sampling, selection and evaluation stream in shards, so that it stays flat.

    python tests/bench/bench_memory.py [--draws 10 100 1000] [--questions 64]

A sweep of one worker, each k in a store of its own; the base is tiny, so that the pool is what could grow. Watched is the
largest process of the sweep. `memory-k1000` is shown beside k = 10: at most 1.2 times as much.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.harness import Cost, of_command, python, row, tell

TINY = (
    "model=nano-xs", "pretrain_tokens=200000", "data.num_pool=256", "data.num_validation=16", "data.num_test=64",
    "data.eval_problems=64", "method=rft", "temperature=1.0",
)  # fmt: skip


def cell(*, draws: int, questions: int) -> Cost:
    """One cell, computed in the process that is watched."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        places = (f"store.root={folder}/store", f"hydra.run.dir={folder}/run", "study_name=bench")
        size = (f"data.num_train={questions}", f"k={draws}")
        return of_command(python("-m", "rft.run", *places, *TINY, *size), units=questions * draws)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--questions", type=int, default=64)
    options = parser.parse_args()
    costs = {draws: cell(draws=draws, questions=options.questions) for draws in sorted(options.draws)}
    first = min(costs)
    for draws, cost in costs.items():
        found = row(
            f"memory-k{draws}", [(cost, costs[first])], figure=lambda c: c.peak_bytes / 2**20, unit="MiB", must=1.2,
            work=f"a cell of RFT, {options.questions} questions, k = {draws}", against=f"k = {first}",
        )  # fmt: skip
        tell(found)


if __name__ == "__main__":
    main()
