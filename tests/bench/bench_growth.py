"""How cost grows with a model's size, the length of its texts, k, the number of problems and the number of cells.

    python tests/bench/bench_growth.py [--only size length] [--rounds 3] [--figure FOLDER]

Each amount is taken at sizes that a processor does in seconds, every size `--rounds` times, and the least processor time
counts, since others on the machine can only add to it. A row's figure is the exponent of a power law through the points
(analysis.stats.growth); the points stand beside it. `--figure` draws them (analysis.figures.growth). Small sizes pay a fixed
part, so an exponent says how cost grows in this range, and not what it tends to.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analysis.figures.growth import growth_figure
from analysis.stats.growth import Growth
from analysis.stats.linear import LineFit
from analysis.study import save_figure
from rft.config import ArchConfig, WorldConfig
from rft.records import Sample
from rft.text.selection import policy_named, select
from rft.text.world.graphs import WorldSplit
from rft.text.world.problems import world_problems
from tests.bench.bench_plan import GRID, JOBS_A_SEED, ONE, dry_run
from tests.bench.harness import REPOSITORY, Row, in_process, tell
from tests.bench.select_rows import varied
from tests.bench.world_work import WORLD

VOCABULARY = 512
HEAD_WIDTH = 32
Work = Callable[[], float]


@dataclass(frozen=True)
class Axis:
    """An amount that cost grows with."""

    name: str
    unit: str
    of: str  # what is done
    amounts: tuple[int, ...]
    cost: Callable[[int], tuple[float, float]]  # amount as it is set -> amount as it is drawn, processor seconds


def trained(*, width: int, length: int, tokens: int) -> tuple[float, float]:
    """Two steps of training on so many tokens in sequences of a length: million parameters, and processor seconds."""
    import numpy as np
    import torch

    from rft.core.batching import packed_steps
    from rft.core.model import build_llama
    from rft.core.training import TrainSettings, train

    torch.set_num_threads(1)
    heads = width // HEAD_WIDTH
    arch = ArchConfig(
        num_layers=2, width=width, num_heads=heads, num_kv_heads=heads, mlp_width=2 * width, context=2048,
        init_std=0.02, embedding_std=0.02, rope_theta=1e4,
    )  # fmt: skip
    model = build_llama(arch, vocab_size=VOCABULARY, seed=0, eos_id=1, pad_id=0)
    text = np.random.default_rng(0).integers(2, VOCABULARY, 4 * tokens).astype(np.int32)
    how = {"sequence": length, "batch_tokens": tokens, "num_steps": 2, "seed": 0, "micro_batch_tokens": tokens}
    steps = list(packed_steps(text, **how))
    cost = in_process(lambda: train(model, steps, settings=TrainSettings(2, 1e-3, 0.0, "cosine", 0.0, 1.0)).num_steps)
    return sum(weights.numel() for weights in model.parameters()) / 1e6, cost.cpu_s


def selected(*, problems: int, draws: int) -> float:
    """Processor seconds of selecting from solutions that differ in words, in order and in being right."""
    asked = world_problems(WorldConfig(**WORLD, human_style=0.9), split=WorldSplit.POOL, count=problems)
    rng = random.Random(0)
    drawn = [Sample(one.id, draw, varied(one.solution, rng), False, 0) for one in asked for draw in range(draws)]
    select(drawn[:draws], asked[:1], policy=policy_named("paper"))  # imports what compares texts
    return in_process(lambda: len(select(drawn, asked, policy=policy_named("paper")).kept)).cpu_s


def planned(seeds: int, *, start_s: float) -> tuple[int, float]:
    """Jobs of a grid, and processor seconds of its dry run beyond the start."""
    return JOBS_A_SEED * seeds, dry_run(REPOSITORY, (*GRID, f"seed=range({seeds})")).cpu_s - start_s


def axes() -> tuple[Axis, ...]:
    """What is measured."""
    starts: list[float] = []

    def cells(seeds: int) -> tuple[int, float]:
        if not starts:
            starts.append(min(dry_run(REPOSITORY, ONE).cpu_s for _ in range(2)))
        return planned(seeds, start_s=starts[0])

    return (
        Axis("size", "million parameters", "training on 2 x 512 tokens", (64, 128, 256, 512, 1024), lambda width: trained(
            width=width, length=128, tokens=512)),
        Axis("length", "tokens a sequence", "training on 2 x 2,048 tokens", (64, 256, 1024, 2048), lambda length: (
            length, trained(width=64, length=length, tokens=2048)[1])),
        Axis("k", "solutions a question", "selecting from 50 questions", (10, 30, 100, 300), lambda draws: (
            draws, selected(problems=50, draws=draws))),
        Axis("problems", "questions", "selecting from 30 solutions each", (50, 150, 450, 1350), lambda problems: (
            problems, selected(problems=problems, draws=30))),
        Axis("cells", "jobs", "planning", (16, 64, 256, 760), cells),
    )  # fmt: skip


def measured(axis: Axis, *, rounds: int) -> Growth:
    """The least cost of each amount."""
    found = [min(axis.cost(amount) for _ in range(rounds)) for amount in axis.amounts]
    return Growth(axis.name, axis.unit, tuple(x for x, _ in found), tuple(cpu_s for _, cpu_s in found), axis.of)


def growth_row(growth: Growth) -> Row:
    """Its line: the exponent, with what it is of."""
    fit = growth.exponent
    assert isinstance(fit, LineFit), fit
    low, high = fit.interval()
    points = ", ".join(f"{x:,.4g}: {y:.3g}" for x, y in zip(growth.amounts, growth.cpu_s, strict=True))
    return Row(
        f"growth-{growth.name}", fit.b, None, "exponent", None, None, None, len(growth.amounts),
        work=f"{growth.of}, CPU s by {growth.unit} ({points}; 95 % interval of the exponent {low:.2f} to {high:.2f})",
    )  # fmt: skip


def main() -> None:
    """Command line."""
    known = {axis.name: axis for axis in axes()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=tuple(known), default=tuple(known))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--figure", type=Path, default=None, help="folder for growth.png, growth.svg, growth.pdf")
    options = parser.parse_args()
    found = []
    for name in options.only:
        found.append(measured(known[name], rounds=options.rounds))
        tell(growth_row(found[-1]))
    if options.figure is not None:
        options.figure.mkdir(parents=True, exist_ok=True)
        print(save_figure(growth_figure(found), out=options.figure))


if __name__ == "__main__":
    main()
