"""Processor time of pretraining until SFT on the base is as good as on a base of the recipe before 2026-11-28.

    python tests/bench/bench_pretrain_quality.py [--folder FOLDER] [--budgets 750000 1000000 ...] [--workers 2] [--pairs 5]

Eight bases of nano-s, each with a corpus, data and training seed of its own, SFT on 512 problems, greedy answers to 1,024
validation problems: sweeps of the program, in FOLDER, so that a run that was stopped goes on there. The goal is the mean
accuracy of the earlier recipe at its full budget. Today's recipe is tried at one budget after another, each with the learning
rate decaying over it, until its mean is no lower, and at the next one; between two budgets accuracy is taken as linear in the
logarithm of tokens. What a token costs is measured apart, since sweeps have the machine's other work beside them: the
stage `Pretrain` by both recipes in turn, on one thread. The interval is of the speed-up, by drawing the eight bases again
(bootstrap); 0 stands for draws in which today's recipe stays below the goal.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.harness import Cost, Row, alternate, in_process, of_command, python, tell
from tests.bench.limits import matmul_flops
from tests.bench.recipes import EARLIER_RECIPE, EARLIER_TOKENS

SEEDS = tuple(range(400, 408))  # those of docs/stability.md, whose nano-s at 1/2 is today's recipe at its full budget
BUDGETS = (750_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000)
TIMED_TOKENS = 150_000
NUM_PARAMETERS = 122_816  # of nano-s
RESAMPLES = 2000
WORK = (
    "model=nano-s", "method=sft", "data.num_train=1024", "data_frac=0.5", "eval.split=validation",
    f"pretrain_seed={','.join(map(str, SEEDS))}", "seed=${pretrain_seed}",
)  # fmt: skip

Accuracies = Mapping[int, float]  # by pretraining seed


def accuracies(folder: Path, name: str, tokens: int, *recipe: str, workers: int) -> Accuracies:
    """SFT's accuracy on eight bases, computed where the folder does not hold it yet."""
    study = folder / name
    places = (f"store.root={folder}/store", f"hydra.sweep.dir={study}", f"study_name={name}", "tracking.mode=disabled")
    launcher = ("hydra/launcher=dag_local", f"hydra.launcher.workers={workers}", "hydra.launcher.threads=1")
    of_command(python("-m", "rft.run", "-m", *places, *launcher, *WORK, f"pretrain_tokens={tokens}", *recipe))
    records = [json.loads(path.read_bytes()) for path in study.rglob("record.json")]
    found = {row["seeds"]["pretrain_seed"]: row["scores"]["maj1@1"]["value"] for row in records}
    mixed = [row["cell_id"] for row in records if len(set(row["seeds"].values())) > 1]
    if sorted(found) != list(SEEDS) or len(records) != len(SEEDS) or mixed:
        raise RuntimeError(
            f"{study} holds {len(records)} records of the bases {sorted(found)}, not one of each of {SEEDS}, or records of "
            f"several seeds each: {mixed}"
        )
    print(f"{name}: mean {100 * statistics.mean(found.values()):.1f} %, {found}", flush=True)
    return found


def crossing(curve: Sequence[tuple[int, float]], goal: float) -> float | None:
    """Tokens at which the curve of (tokens, accuracy) first reaches the goal; None where it does not.

    A curve that begins above the goal reaches it at its first budget, at the latest.
    """
    before: tuple[int, float] | None = None
    for tokens, accuracy in curve:
        if accuracy >= goal:
            if before is None:
                return float(tokens)
            share = (goal - before[1]) / (accuracy - before[1])
            return math.exp(math.log(before[0]) + share * math.log(tokens / before[0]))
        before = (tokens, accuracy)
    return None


def interval(goal: Accuracies, curve: Mapping[int, Accuracies]) -> tuple[float, float]:
    """95 % interval of the tokens at the crossing over draws of the bases; a curve that stays below counts as infinite."""
    import numpy as np

    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        seeds = [SEEDS[place] for place in rng.integers(len(SEEDS), size=len(SEEDS))]
        means = [(tokens, statistics.mean(by_seed[seed] for seed in seeds)) for tokens, by_seed in curve.items()]
        found.append(crossing(means, statistics.mean(goal[seed] for seed in seeds)) or math.inf)
    found.sort()
    return found[int(0.025 * RESAMPLES)], found[int(0.975 * RESAMPLES) - 1]


def pretraining_costs(pairs: int) -> list[tuple[Cost, Cost]]:
    """Costs of `TIMED_TOKENS` tokens by today's recipe and the earlier one, in turn."""
    import torch
    from composing import composed
    from lone_stage import run_stage

    from rft.stages.corpus import Corpus
    from rft.stages.pretrain import Pretrain
    from tests.bench.world_work import WORLD

    torch.set_num_threads(1)
    corpus = Corpus(world=WORLD, num_tokens=TIMED_TOKENS, seed=SEEDS[0], determined=True)
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as scratch:
        text = Path(scratch, "corpus")
        run_stage(corpus, out=text, inputs={})

        def side(recipe: Sequence[str], tokens: int = TIMED_TOKENS) -> int:
            model = composed("model=nano-s", *recipe).model
            assert model.arch is not None
            assert model.pretrain is not None
            stage = Pretrain(
                arch=model.arch, recipe=replace(model.pretrain, tokens=tokens), seed=SEEDS[0], corpus=corpus
            )
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                run_stage(stage, out=Path(folder, "out"), inputs={corpus: text})
            return tokens

        for recipe in ((), EARLIER_RECIPE):
            side(recipe, 10 * 1024)  # what is imported and planned once is no part of it
        return alternate(
            partial(in_process, lambda: side(())), partial(in_process, lambda: side(EARLIER_RECIPE)), pairs=pairs
        )


def main() -> None:
    """Command line. Raises RuntimeError where today's recipe does not reach the goal at any of the budgets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="store and studies (default: a temporary folder)")
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5, help="of timings of a token's cost")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as scratch:
        tell(measured(options.folder or Path(scratch), sorted(options.budgets), options.workers, pairs=options.pairs))


def measured(folder: Path, budgets: Sequence[int], workers: int, *, pairs: int) -> Row:
    """The row."""
    goal = accuracies(folder, f"earlier-{EARLIER_TOKENS}", EARLIER_TOKENS, *EARLIER_RECIPE, workers=workers)
    wanted = statistics.mean(goal.values())
    curve: dict[int, Accuracies] = {}
    for tokens in budgets:
        is_beyond = any(statistics.mean(found.values()) >= wanted for found in curve.values())
        curve[tokens] = accuracies(folder, f"today-{tokens}", tokens, workers=workers)
        if is_beyond:  # one budget further, so that draws of worse bases reach it too
            break
    means = [(tokens, statistics.mean(found.values())) for tokens, found in curve.items()]
    reached = crossing(means, wanted)
    if reached is None:
        raise RuntimeError(f"today's recipe stays below {wanted:.3f} at all budgets: {means}")
    costs = pretraining_costs(pairs)
    a_token, earlier_a_token = (
        statistics.median(1 / cost.per_cpu_s for cost in side) for side in zip(*costs, strict=True)
    )
    ours, peer = a_token * reached, earlier_a_token * EARLIER_TOKENS
    low, high = (peer / (a_token * tokens) for tokens in reversed(interval(goal, curve)))
    points = ", ".join(f"{100 * accuracy:.1f} % at {tokens / 1e6:.2f}M" for tokens, accuracy in means)
    limit = 6 * NUM_PARAMETERS * reached / matmul_flops(rows=1024, inner=64, columns=192)
    return Row(
        "pretrain-to-quality", ours, peer, "CPU s", ours / peer, limit, ours / limit, len(SEEDS), must=0.5,
        work=f"pretraining of nano-s until SFT has {100 * wanted:.1f} %: {reached / 1e6:.2f}M tokens; mean of eight bases "
        f"{points}; {peer / ours:.2f} times as quick, 95 % over bases {low:.2f} to {high:.2f}",
        against=f"the recipe before 2026-11-28 on its {EARLIER_TOKENS / 1e6:.1f}M tokens, {100 * wanted:.1f} %",
        limit_is="products of matrices alone",
    )  # fmt: skip


if __name__ == "__main__":
    main()
