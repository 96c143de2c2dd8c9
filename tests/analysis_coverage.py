"""Do the intervals hold what they say: simulated studies with known truth, on a grid written down first.

    python tests/analysis_coverage.py --studies 10000 > docs/coverage.md        (make coverage)

Generator, for every study anew: problem i has difficulty d_i ~ N(0, 0.7) and a taste for each setting j, u_ij ~ N(0, 0.18);
draw b of the base has a level ~ N(0, 0.3) of its own and for each setting g_bj; a cell of setting j and replicate r has e_brj
~ N(0, 0.05) (about 1.6 points from seed to seed); problem i is right with chance Phi(m_j + d_i + u_ij + level_b + g_bj +
e_brj) of the normal distribution, 100 problems. The variance of g is 0, 1 or 5 times that of e. Estimands, in points: for new
bases the expectation over draws, replicates and problems; for these bases that over replicates and problems, given level and
g. Both are Phi(m / sqrt(1 + variance of the effects)), exactly.

Designs are replicates of each draw: balanced and unbalanced ones, of few and of many draws, and five base configurations. In
crossed ones the draws share their seeds: e is one for all draws with the same replicate seed, and half of the variances of
level and g comes from the pretraining and half from the corpus seed. Where base configurations share draws (corpora), half of
these variances is common to the configurations. A study is an array, thousands of them one call of the functions behind every
interval of the analysis (`analysis.stats.drawn`).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from analysis.compare.fits import slope_weights
from analysis.stats.drawn import SeedsOfDraws, Units, drawn_bases, new_bases, over_bases
from analysis.stats.nested import Spread
from analysis.stats.power import power_of

Floats = NDArray[np.float64]

NUM_ITEMS = 100
ITEM_SD, TASTE_SD, LEVEL_SD, REPLICATE_SD = 0.7, 0.18, 0.3, 0.05
RATIOS = (0, 1, 5)  # variance between draws over that between replicates, of one setting
LEVEL_M = -0.25
STEP = 0.15  # of one doubling
BATCH = 250  # studies at once
FAMILY = 8  # comparisons of one table


@dataclass(frozen=True)
class Plan:
    """Replicates of each draw of each base configuration, and what draws have in common."""

    name: str
    bases: tuple[tuple[int, ...], ...]
    same_seeds: bool = False  # replicate r has one seed in all draws
    corpora: int = 0  # of how many corpora each pretraining seed has a draw; 0: every draw has one of its own
    same_draws: bool = False  # draw d has one seed in all configurations

    @property
    def by_draw(self) -> tuple[int, ...]:
        """Replicates of every draw of all bases."""
        return tuple(size for draws in self.bases for size in draws)

    @property
    def crossed(self) -> bool:
        """Whether draws share a seed."""
        return self.same_seeds or self.same_draws or self.corpora > 0

    def halves(self, base: int, draw: int) -> tuple[int, int]:
        """Labels of the two halves of a draw's effects: those of the pretraining and of the corpus seed."""
        if self.corpora:
            return draw // self.corpora, draw % self.corpora
        own = 100 * base + draw
        return (own, draw) if self.same_draws else (own, own)

    def seed(self, base: int, draw: int, unit: int) -> int:
        """Of a replicate."""
        return unit if self.same_seeds else 100 * (draw if self.same_draws else 100 * base + draw) + unit

    def seeds(self) -> list[SeedsOfDraws] | None:
        """As records have them; None: nothing is shared."""
        if not self.crossed:
            return None
        return [
            [[self._recorded(b, d, r) for r in range(n)] for d, n in enumerate(draws)]
            for b, draws in enumerate(self.bases)
        ]

    def _recorded(self, base: int, draw: int, unit: int) -> dict[str, set[int]]:
        first, second = self.halves(base, draw)
        pretrain = second if self.same_draws else first
        return {"pretrain_seed": {pretrain}, "corpus_seed": {second}, "data_seed": {self.seed(base, draw, unit)}}


PLANS = (
    Plan("5 draws of 1", ((1,) * 5,)),
    Plan("6 draws of 3", ((3,) * 6,)),
    Plan("6 draws of 1, 5, 2, 3, 2, 1", ((1, 5, 2, 3, 2, 1),)),
    Plan("8 draws of 2 and one of 12", ((2,) * 8 + (12,),)),
    Plan("12 draws of 1", ((1,) * 12,)),
    Plan("5 bases, 2 draws of 2", ((2, 2),) * 5),
    Plan("5 bases, 2 to 6 draws", ((1, 1), (2, 1, 1), (1,) * 4, (3, 1, 2, 1, 1), (1,) * 6)),
)
CROSSED = (
    Plan("5 draws, the same 3 seeds", ((3,) * 5,), same_seeds=True),
    Plan("6 draws, the same 2 seeds", ((2,) * 6,), same_seeds=True),
    Plan("6 draws of 2, 5, 2, 3, 3, 4, the same seeds", ((2, 5, 2, 3, 3, 4),), same_seeds=True),
    Plan("3 pretraining by 3 corpus seeds", ((1,) * 9,), corpora=3),
    Plan("4 pretraining by 4 corpus seeds, the same 3 seeds", ((3,) * 16,), same_seeds=True, corpora=4),
    Plan("5 bases, the same 6 draws", ((1,) * 6,) * 5, same_draws=True),
    Plan("5 bases of 1 draw, the same 4 seeds", ((4,),) * 5, same_seeds=True),
)


@dataclass(frozen=True)
class Contrast:
    """A linear contrast of the accuracies of some settings."""

    name: str
    m: tuple[float, ...]  # level of each setting
    weights: tuple[float, ...]


def _ladder(points: int) -> Contrast:
    x = np.arange(points, dtype=float)
    return Contrast(f"slope over {points}", tuple(LEVEL_M + STEP * (x - x[-1])), tuple(slope_weights(x)))


DIFFERENCE = Contrast("difference", (LEVEL_M, LEVEL_M + STEP), (-1.0, 1.0))
NULL = Contrast("difference of 0", (LEVEL_M, LEVEL_M), (-1.0, 1.0))
CONTRASTS = (DIFFERENCE, _ladder(4))


def expected(m: Floats, *, sd: float) -> Floats:
    """Mean of Phi(m + N(0, sd))."""
    return np.asarray(special.ndtr(m / math.hypot(1.0, sd)))


@dataclass(frozen=True)
class Studies:
    """Many simulated studies of one plan: per base and draw values [studies, replicates, problems], in points."""

    values: list[list[Floats]]
    true_new: float
    true_these: Floats  # [studies]
    units: Units

    def new(self) -> Spread:
        """As nested_mean has it: draws are units where each base has two, else bases."""
        found = new_bases(self.values, self.units)
        assert found is not None, "a plan has two draws or two bases"
        return found

    def over_bases(self) -> Spread:
        """Bases are units though they have several draws."""
        return over_bases(self.values, self.units)

    def these(self) -> Spread:
        """For the drawn bases as they are."""
        return drawn_bases(self.values, self.units)


class Effects:
    """Random effects of all studies by label: drawn once for each label."""

    def __init__(self, rng: np.random.Generator, studies: int, settings: int) -> None:
        self._draw = lambda: rng.standard_normal((studies, settings))
        self._known: dict[tuple[str, int], Floats] = {}

    def of(self, kind: str, label: int, *, settings_alike: bool = False) -> Floats:
        """[studies, settings] of variance 1."""
        found = self._known.setdefault((kind, label), self._draw())
        return found[:, :1] if settings_alike else found

    def of_draw(self, kind: str, halves: tuple[int, int], *, settings_alike: bool = False) -> Floats:
        """The same, half of the variance from each of two labels."""
        parts = [self.of(f"{kind} {side}", label, settings_alike=settings_alike) for side, label in enumerate(halves)]
        return np.asarray(sum(parts) / math.sqrt(2))


def simulate(
    plan: Plan, contrast: Contrast, *, ratio: float, studies: int, rng: np.random.Generator, items: int = NUM_ITEMS
) -> Studies:
    """Draw studies of one plan."""
    m, weights = np.array(contrast.m), 100 * np.array(contrast.weights)
    gain_sd, fixed_sd = math.sqrt(ratio) * REPLICATE_SD, math.sqrt(ITEM_SD**2 + TASTE_SD**2)
    true_new = float(weights @ expected(m, sd=math.hypot(fixed_sd, LEVEL_SD, gain_sd, REPLICATE_SD)))
    problem = m[:, None].astype(np.float32) + _normal(rng, ITEM_SD, (studies, 1, items))
    problem = problem + _normal(rng, TASTE_SD, (studies, len(m), items))
    total, values = np.zeros(studies), []
    effects = Effects(rng, studies, len(m))
    for base, draws in enumerate(plan.bases):
        of_base = []
        for draw, size in enumerate(draws):
            halves = plan.halves(base, draw)
            own = LEVEL_SD * effects.of_draw("level", halves, settings_alike=True)
            own = own + gain_sd * effects.of_draw("gain", halves)
            true = expected(m + own, sd=math.hypot(fixed_sd, REPLICATE_SD)) @ weights
            total += true / (len(plan.bases) * len(draws))
            seeds = np.stack([effects.of("seed", plan.seed(base, draw, unit)) for unit in range(size)], axis=1)
            height = problem[:, None] + (REPLICATE_SD * seeds + own[:, None])[..., None].astype(np.float32)
            right = rng.standard_normal(height.shape, dtype=np.float32) < height
            of_base.append(np.asarray(sum(w * right[:, :, place] for place, w in enumerate(weights))))
        values.append(of_base)
    return Studies(values, true_new, total, Units.of(values, plan.seeds()))


def _normal(rng: np.random.Generator, sd: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.float32(sd) * rng.standard_normal(shape, dtype=np.float32)


def batches(studies: int) -> Iterator[int]:
    """Sizes that sum to `studies`."""
    yield from [BATCH] * (studies // BATCH)
    if studies % BATCH:
        yield studies % BATCH


def within(spread: Spread, true: Floats | float, *, level: float = 0.95) -> NDArray[np.bool_]:
    """Whether each study's interval holds the truth."""
    half = special.stdtrit(spread.df, 0.5 + level / 2) * spread.se
    return np.asarray(np.abs(spread.value - true) <= half)


@dataclass(frozen=True)
class Shares:
    """What was found of one plan and ratio."""

    new: float  # coverage
    these: float
    bases: float  # of the interval over bases; NaN for one base
    false: float  # studies of a true 0 with a verdict; NaN: not asked


def shares(plan: Plan, contrast: Contrast, *, ratio: float, studies: int, seed: int) -> Shares:
    """Coverage of all intervals and false verdicts."""
    rng, found = np.random.default_rng(seed), []
    for count in batches(studies):
        drawn = simulate(plan, contrast, ratio=ratio, studies=count, rng=rng)
        false = np.full(count, np.nan)
        if len(contrast.m) == len(NULL.m):
            false = ~within(simulate(plan, NULL, ratio=ratio, studies=count, rng=rng).new(), 0.0)
        several = len(plan.bases) > 1 and not plan.crossed
        bases = within(drawn.over_bases(), drawn.true_new) if several else np.full(count, np.nan)
        found.append(
            [
                within(drawn.new(), drawn.true_new).sum(), within(drawn.these(), drawn.true_these).sum(),
                bases.sum(), false.sum(),
            ]
        )  # fmt: skip
    return Shares(*(float(share) for share in np.sum(found, axis=0) / studies))


def false_families(plan: Plan, *, ratio: float, studies: int, seed: int) -> float:
    """Share of tables of FAMILY true zeros with a 'better' or 'worse' after Holm's correction: its first step decides."""
    rng, false = np.random.default_rng(seed), 0
    for count in batches(studies):
        spreads = [simulate(plan, NULL, ratio=ratio, studies=count, rng=rng).new() for _ in range(FAMILY)]
        ps = [2 * special.stdtr(s.df, -np.abs(s.value) / np.maximum(s.se, 1e-12)) for s in spreads]
        false += int((FAMILY * np.min(ps, axis=0) <= 0.05).sum())
    return false / studies


def false_equivalence(plan: Plan, *, ratio: float, studies: int, seed: int) -> float:
    """Share of studies that call a difference 'within the margin' whose true size is the margin itself."""
    rng, false = np.random.default_rng(seed), 0
    for count in batches(studies):
        drawn = simulate(plan, DIFFERENCE, ratio=ratio, studies=count, rng=rng)
        spread = drawn.new()
        half = special.stdtrit(spread.df, 0.95) * spread.se
        false += int((spread.value + half < drawn.true_new).sum())  # the upper of the two one-sided tests
    return false / studies


def power_found(*, draws: int, ratio: float, studies: int, seed: int) -> tuple[float, float]:
    """(promised, found) share of studies that separate DIFFERENCE, the promise from the true variances."""
    rng, plan = np.random.default_rng(seed), Plan("", ((1,) * draws,))
    many = simulate(Plan("", ((1,) * 40,)), DIFFERENCE, ratio=ratio, studies=400, rng=rng)
    spread = many.new()
    sd, fixed = math.sqrt(40 * float(np.mean(spread.units))), float(np.mean(spread.items))
    promised = power_of(many.true_new, sd=sd, var_items=fixed, units=draws)
    hits = 0
    for count in batches(studies):
        hits += int((~within(simulate(plan, DIFFERENCE, ratio=ratio, studies=count, rng=rng).new(), 0.0)).sum())
    return promised, hits / studies


HEADER = (
    "| contrast | design | base variance / replicate's | new bases | these bases | over bases | false verdicts |",
    "|---|---|---|---|---|---|---|",
)


def percent(share: float) -> str:
    """'94.8', or nothing."""
    return "" if math.isnan(share) else f"{100 * share:.1f}"


def coverage_rows(studies: int, *, seed: int, contrasts: Sequence[Contrast] = CONTRASTS) -> Iterator[str]:
    """One row for each contrast, plan and ratio; crossed plans for the difference alone."""
    for place, contrast in enumerate(contrasts):
        for number, plan in enumerate((*PLANS, *(CROSSED if contrast is DIFFERENCE else ()))):
            for ratio in RATIOS:
                own = seed + 10_000 * place + 100 * number + ratio
                found = shares(plan, contrast, ratio=ratio, studies=studies, seed=own)
                cells = [contrast.name, plan.name, str(ratio)]
                mark = "" if max(plan.by_draw) > 1 else "*"
                cells += [percent(found.new), percent(found.these) + mark, percent(found.bases), percent(found.false)]
                yield f"| {' | '.join(cells)} |"


def family_rows(studies: int, *, seed: int) -> Iterator[str]:
    """Tables of several true zeros, differences of the margin, and power."""
    yield "| what | design | base variance / replicate's | share | wanted |"
    yield "|---|---|---|---|---|"
    for plan in (PLANS[0], PLANS[2]):
        for ratio in RATIOS:
            share = false_families(plan, ratio=ratio, studies=studies, seed=seed + ratio)
            yield f"| a table of {FAMILY} true zeros has a verdict | {plan.name} | {ratio} | {percent(share)} | at most 5 |"
            share = false_equivalence(plan, ratio=ratio, studies=studies, seed=seed + 50 + ratio)
            yield f"| a difference of the margin is called smaller | {plan.name} | {ratio} | {percent(share)} | at most 5 |"
    for ratio in RATIOS:
        promised, share = power_found(draws=8, ratio=ratio, studies=studies, seed=seed + 90 + ratio)
        yield f"| a difference is separated | 8 draws of 1 | {ratio} | {percent(share)} | {percent(promised)} promised |"


def report(studies: int, *, seed: int) -> Iterator[str]:
    """The whole grid as lines of Markdown."""
    error = 100 * math.sqrt(0.95 * 0.05 / studies)
    yield from (
        "# Coverage of the intervals",
        "",
        "Generated by `make coverage` (`tests/analysis_coverage.py`, which says how studies are drawn); not edited by hand.",
        f"{studies:,} simulated studies a row; shares in percent, of which the standard error is {error:.1f}.",
        "Wanted: intervals of 95 % cover 93 to 97 %, at most 5 % of the studies of a true zero give a verdict. 'Over",
        "bases' is the interval where each base has one draw; here it is taken of bases that have several.",
        "* One replicate of each draw: such an interval for these bases holds item noise alone, which is said beside it.",
        "Designs 'by' and 'the same' have seeds that draws share. Their intervals may be too wide where what is shared",
        "makes no difference (three values of a seed do not show that), and false verdicts are then few.",
        "",
        *HEADER,
    )
    yield from coverage_rows(studies, seed=seed)
    yield ""
    yield from family_rows(studies, seed=seed)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Coverage of the analysis' intervals on simulated studies.")
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for line in report(options.studies, seed=options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
