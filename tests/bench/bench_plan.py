"""Dry runs of a grid of cells: processor seconds beside the planner before, and memory by cell.

    python tests/bench/bench_plan.py [--seeds 2] [--pairs 5] [--large-seeds 760]

Each seed is 180 jobs: 3 models, 4 fractions, 5 k, 3 methods, of which 132 are cells of their own. What a dry run of one cell
takes is taken off both sides. Then one dry run of 100,320 cells, the start included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.baseline import code_before
from tests.bench.harness import REPOSITORY, Cost, Row, alternate, of_command, python, row, tell

GRID = ("model=nano-xs,nano-s,nano-m", "data_frac=0.125,0.25,0.5,1", "method=sft,rft,sft_matched", "k=1,4,16,64,100")
JOBS_A_SEED, CELLS_A_SEED = 180, 132
ONE = ("model=nano-xs", "seed=0")


def dry_run(folder: Path, words: tuple[str, ...]) -> Cost:
    """A dry run by the code in `folder`, in a folder of its own, so that no store is found."""
    with tempfile.TemporaryDirectory() as scratch:
        fixed = ("-m", "hydra/launcher=dag_local", "dry_run=true", "study_name=dry", f"store.root={scratch}/store")
        command = python("-m", "rft.run", *fixed, f"hydra.sweep.dir={scratch}/study", *words)
        return of_command(command, folder=folder)


def planned(folder: Path, *, seeds: int, start: Cost) -> Cost:
    """What the grid took beyond the start."""
    cost = dry_run(folder, (*GRID, f"seed=range({seeds})"))
    cpu_s, wall_s = cost.cpu_s - start.cpu_s, cost.wall_s - start.wall_s
    return Cost(wall_s, cpu_s, JOBS_A_SEED * seeds, cost.peak_bytes - start.peak_bytes)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--large-seeds", type=int, default=760, help="of the large dry run; 0: none")
    options = parser.parse_args()
    with code_before() as before:
        ours, peer = (min((dry_run(one, ONE) for _ in range(2)), key=lambda c: c.cpu_s) for one in (REPOSITORY, before))
        costs = alternate(
            lambda: planned(REPOSITORY, seeds=options.seeds, start=ours),
            lambda: planned(before, seeds=options.seeds, start=peer),
            pairs=options.pairs,
        )
    words = {"work": f"dry run of {JOBS_A_SEED * options.seeds} jobs", "against": "the planner before"}
    tell(row("plan", costs, figure=lambda c: 1e3 * c.cpu_s / c.units, unit="CPU ms/job", must_be=0.6, **words))
    tell(row("plan-memory", costs, figure=lambda c: c.peak_bytes / c.units / 1e3, unit="kB/job", must_be=20.0, **words))
    if options.large_seeds:
        tell_large(options.large_seeds)


def tell_large(seeds: int) -> None:
    """Rows of one large dry run of today's code."""
    cost = dry_run(REPOSITORY, (*GRID, f"seed=range({seeds})"))
    work = f"dry run of {JOBS_A_SEED * seeds:,} jobs, {CELLS_A_SEED * seeds:,} cells; {cost.wall_s:.0f} s on the clock"
    tell(Row("plan-large", cost.cpu_s, None, "CPU s", None, None, None, 1, must_be=60.0, work=work))
    tell(Row("plan-large-memory", cost.peak_bytes / 2**30, None, "GiB", None, None, None, 1, must_be=2.0, work=work))


if __name__ == "__main__":
    main()
