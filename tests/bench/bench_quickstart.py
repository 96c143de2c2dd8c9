"""What `make study` does after installation, beside the project as it was before its speed and its recipe were worked on.

    python tests/bench/bench_quickstart.py [--pairs 1] [--workers 2]

Processor seconds of all processes of `python -m rft.run +study=quickstart` and `analysis/plot_scaling.py`, each side in a
store of its own. `quickstart`: both studies as they stand, which are not the same work: today's has two cells more (SFT with
epochs chosen on validation problems), another pretraining recipe on fewer tokens, and more figures. `quickstart-same-cells`:
today's code told to compute the earlier study, its cells, recipe and settings. The limit: what the stages' floating-point
operations, by the store's journal, take as products of matrices of a pretraining step's shape; of `quickstart` those of
today's stages.
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
from tests.bench.harness import REPOSITORY, Cost, of_command, python, row, tell
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
        places = (f"store.root={scratch}/store", f"hydra.sweep.dir={scratch}/study", f"hydra.launcher.workers={workers}")
        sweep = of_command(python("-m", "rft.run", "+study=quickstart", *places, *words), folder=code)
        figures = of_command(python("analysis/plot_scaling.py", f"{scratch}/study"), folder=code)
        num_cells = len(list(Path(scratch, "study").rglob("record.json")))
        timings = read_timings(Path(scratch, "store", "timings.jsonl"))
        flops = sum(one.flops for kind in timings.values() for one in kind)
    return replace(sweep, wall_s=sweep.wall_s + figures.wall_s, cpu_s=sweep.cpu_s + figures.cpu_s, units=num_cells), flops


def told(cost: Cost) -> str:
    """Cells, and core seconds for each."""
    return f"{cost.units:.0f} cells ({cost.cpu_s / cost.units:.1f} a cell)"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    rounds = []
    with code_before(RECIPE_COMMIT) as before:
        sides = [(REPOSITORY, ()), (before, ()), (REPOSITORY, EARLIER_STUDY)]
        for place in range(options.pairs):
            numbers = range(len(sides)) if place % 2 == 0 else reversed(range(len(sides)))
            found = {number: study(*sides[number], workers=options.workers) for number in numbers}
            rounds.append([found[number] for number in range(len(sides))])
    (today, _), (peer, _), (same, _) = rounds[-1]
    if same.units != peer.units:
        raise RuntimeError(f"not the same cells: {same.units:.0f} of today's code, {peer.units:.0f} of the code before")
    rate = matmul_flops(**SHAPE)
    limit_is = "products of matrices of its stages' FLOPs"
    common = {"unit": "CPU s", "must": 0.5, "limit_is": limit_is}
    tell(
        row(
            "quickstart", [(ours[0], theirs[0]) for ours, theirs, _ in rounds], figure=lambda c: c.cpu_s,
            limit=rounds[-1][0][1] / rate, work=f"+study=quickstart and its figures, {told(today)}, bases on 2.5M tokens",
            against=f"the code and the recipe of commit {RECIPE_COMMIT}, {told(peer)}, bases on 3.0M tokens", **common,
        )
    )  # fmt: skip
    tell(
        row(
            "quickstart-same-cells", [(ours[0], theirs[0]) for _, theirs, ours in rounds], figure=lambda c: c.cpu_s,
            limit=rounds[-1][2][1] / rate, work=f"that commit's cells, recipe and settings by today's code, {told(same)}",
            against=f"the code of commit {RECIPE_COMMIT}, {told(peer)}", **common,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
