"""What `make study` does after installation, beside the project as it was before its speed and its recipe were worked on.

    python tests/bench/bench_quickstart.py [--pairs 1] [--workers 2]

Processor seconds of all processes of `python -m rft.run +study=quickstart` and `analysis/plot_scaling.py`, each side in a
store of its own. `quickstart`: both studies as they stand, which are not the same work: today's has two cells more (SFT with
epochs chosen on validation problems), another pretraining recipe on fewer tokens, and more figures. `quickstart-same-cells`:
today's code told to compute the earlier study, its cells, recipe and settings, after the pairs. The limit: what the
floating-point operations of today's stages, by the store's journal, take as products of matrices of one pretraining step.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rft.infra.timings import read_timings
from tests.bench.baseline import RECIPE_COMMIT, code_before
from tests.bench.harness import REPOSITORY, Cost, alternate, of_command, python, row, tell
from tests.bench.limits import matmul_flops
from tests.bench.recipes import EARLIER_RECIPE, EARLIER_TOKENS

# The earlier study by today's keys: its cells, what it trained on, and how it sampled
EARLIER_STUDY = (
    "~hydra.sweeper.grids.best", "temperature=1.0", "data.world.human_style=0.9", f"pretrain_tokens={EARLIER_TOKENS}",
    *EARLIER_RECIPE,
)  # fmt: skip
SHAPE = {"rows": 1024, "inner": 64, "columns": 192}  # a step of nano-s through one matrix of its MLP


def study(code: Path, words: Sequence[str] = (), *, workers: int) -> tuple[Cost, float]:
    """Cost of the quickstart and its figures in a new store, in cells; and the floating-point operations of its stages."""
    with tempfile.TemporaryDirectory(prefix="bench-quickstart-") as scratch:
        places = (
            f"store.root={scratch}/store",
            f"hydra.sweep.dir={scratch}/study",
            f"hydra.launcher.workers={workers}",
        )
        sweep = of_command(python("-m", "rft.run", "+study=quickstart", *places, *words), folder=code)
        figures = of_command(python("analysis/plot_scaling.py", f"{scratch}/study"), folder=code)
        num_cells = len(list(Path(scratch, "study").rglob("record.json")))
        timings = read_timings(Path(scratch, "store", "timings.jsonl"))
        flops = sum(one.flops for kind in timings.values() for one in kind)
    return replace(
        sweep, wall_s=sweep.wall_s + figures.wall_s, cpu_s=sweep.cpu_s + figures.cpu_s, units=num_cells
    ), flops


def told(cost: Cost) -> str:
    """Cells, and core seconds for each."""
    return f"{cost.units:.0f} cells ({cost.cpu_s / cost.units:.1f} a cell)"


def main() -> None:
    """Command line. Raises RuntimeError where today's code computes other cells than it is told to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)  # as stages compute
    rate = matmul_flops(**SHAPE)
    with code_before(RECIPE_COMMIT) as before:
        flops: dict[str, float] = {}

        def side(name: str, code: Path, words: Sequence[str] = ()) -> Cost:
            cost, flops[name] = study(code, words, workers=options.workers)
            return cost

        costs = alternate(lambda: side("today", REPOSITORY), lambda: side("before", before), pairs=options.pairs)
        today, peer = costs[-1]
        tell_row(
            "quickstart", costs, limit=flops["today"] / rate,
            work=f"+study=quickstart and its figures, {told(today)}, bases on 2.5M tokens",
            against=f"the code and the recipe of commit {RECIPE_COMMIT}, {told(peer)}, bases on 3.0M tokens",
        )  # fmt: skip
        same = [(side("same", REPOSITORY, EARLIER_STUDY), theirs) for _, theirs in costs]
        if same[-1][0].units != peer.units:
            raise RuntimeError(
                f"not the same cells: {told(same[-1][0])} of today's code, {told(peer)} of the code before"
            )
        tell_row(
            "quickstart-same-cells", same, limit=flops["same"] / rate,
            work=f"that commit's cells, recipe and settings by today's code, {told(same[-1][0])}",
            against=f"the code of commit {RECIPE_COMMIT}, {told(peer)}",
        )  # fmt: skip


def tell_row(name: str, costs: Sequence[tuple[Cost, Cost]], *, limit: float, **words: str) -> None:
    """Core seconds of both sides."""
    words["limit_is"] = "products of matrices of its stages' FLOPs"
    tell(row(name, costs, figure=lambda c: c.cpu_s, unit="CPU s", must=0.5, limit=limit, **words))


if __name__ == "__main__":
    main()
