"""How to spend given minutes: draws of the base, replicates of each, or test problems, from where the noise is.

    design = best_design(found, prices, minutes=60)       # Design(draws=12, replicates=1, problems=1319)
    wasted(found, design)                                 # 'replicates: half as many would widen the interval by 1 %'
    print(draws_table(sd=1.1, num_problems=1319))         # before anything is run

    python -m analysis.plan.planner DIR --minutes 60

`found` are variance components (analysis.stats.components), of the study at hand where it has them, else ASSUMED.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analysis.stats.components import Component, Components
from analysis.stats.linear import t_quantile
from analysis.stats.power import INFEASIBLE, LEVEL, MOST_DRAWS, MOST_PROBLEMS, POWER, VERDICT_UNITS, units_to_separate

MOST_REPLICATES = 20  # of one draw
PROBLEMS = (100, 200, 400, 660, 1319, 2638, 5276, 10552, MOST_PROBLEMS)
WASTED = 0.03  # half as many widen the interval by less
NO_INTERVAL = (math.nan, math.nan)
# RFT minus step-matched SFT in points: nano-s on 3M tokens, eight draws by three replicates (measured 2026-11-27: base 1.1,
# replicate 0.2); one answer by the binomial noise of a difference at 40 % of which half cancels on shared problems
ASSUMED_BASE_SD, ASSUMED_REPLICATE_SD, ASSUMED_ANSWER_SD = 1.1, 0.2, 49.0


def assumed(
    *,
    base_sd: float = ASSUMED_BASE_SD,
    replicate_sd: float = ASSUMED_REPLICATE_SD,
    answer_sd: float = ASSUMED_ANSWER_SD,
) -> Components:
    """Components before anything was run; problems as such are taken to make no difference."""
    base, replicate, rest = (Component(sd**2, NO_INTERVAL, math.nan) for sd in (base_sd, replicate_sd, answer_sd))
    return Components(base, replicate, None, None, rest)


@dataclass(frozen=True)
class Prices:
    """Minutes of one worker."""

    draw: float  # a new base: pretraining and its loss
    replicate: float  # the training and sampling of one replicate of all cells that are compared
    problem: float  # scoring one test problem in all of them


@dataclass(frozen=True)
class Design:
    """A study of one base configuration."""

    draws: int
    replicates: int  # of each draw
    problems: int
    given: bool = False  # a model that is not drawn, such as an imported one: its replicates stand as draws, of 1 each

    def minutes(self, prices: Prices) -> float:
        """What it costs."""
        return self.draws * (prices.draw + self.replicates * (prices.replicate + self.problems * prices.problem))

    def half_width(self, found: Components) -> float:
        """Half of the expected 95 % interval for new bases of this kind; infinite for one draw."""
        se, df = found.error_of(draws=self.draws, replicates=self.replicates, problems=self.problems)
        return t_quantile(LEVEL, df=df) * se if df > 0 else math.inf

    def words(self) -> str:
        """'12 draws of the base, 1 replicate of each, 1,319 test problems'."""
        problems = f"{self.problems:,} test problems"
        if self.given:
            return f"{_counted(self.draws, 'replicate')}, {problems}"
        return (
            f"{_counted(self.draws, 'draw')} of the base, {_counted(self.replicates, 'replicate')} of each, {problems}"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def best_design(
    found: Components, prices: Prices, *, minutes: float, most_problems: int = MOST_PROBLEMS, given: bool = False
) -> Design | None:
    """The narrowest interval for the money; of equally narrow ones (to 1 %) the cheapest. None where five draws cost more.

    No more problems than the data set has; of a given model replicates in place of draws.
    """
    designs = [
        design
        for draws in range(VERDICT_UNITS, MOST_DRAWS + 1)
        for replicates in range(1, (1 if given else MOST_REPLICATES) + 1)
        for problems in sorted({min(number, most_problems) for number in PROBLEMS})
        if (design := Design(draws, replicates, problems, given)).minutes(prices) <= minutes
    ]
    if not designs:
        return None
    narrowest = min(design.half_width(found) for design in designs)
    close = [design for design in designs if design.half_width(found) <= 1.01 * narrowest]
    return min(close, key=lambda design: design.minutes(prices))


def wasted(found: Components, design: Design) -> list[str]:
    """Which of draws, replicates and problems could be halved at almost no loss, in words."""
    now, lines = design.half_width(found), []
    if not math.isfinite(now):
        return []
    halves = {
        "replicates" if design.given else "draws": replace(design, draws=design.draws // 2),
        "problems": replace(design, problems=design.problems // 2),
    }
    if not design.given:
        halves["replicates"] = replace(design, replicates=design.replicates // 2)
    for name, half in halves.items():
        if min(half.draws, half.replicates, half.problems) < 1:
            continue
        wider = half.half_width(found) / now - 1
        if wider < WASTED:
            lines.append(f"{name} are wasted: half as many would widen the interval by {100 * wider:.1f} %")
    return lines


def draws_table(*, sd: float, num_problems: int, accuracy: float = 0.4, agreement: float = 0.5) -> str:
    """Draws of the base for 80 % power by true difference, before anything is run.

    `sd`: points from draw to draw of a paired difference. Of the binomial noise of a paired difference, the share `agreement`
    cancels on shared problems; the rest is fresh in every draw. Problems themselves are taken as given.
    """
    noise = 2 * accuracy * (1 - accuracy) * (1 - agreement) / num_problems * 100**2
    total = math.sqrt(sd**2 + noise)
    lines = [
        f"draws for {POWER:.0%} power (95 %), SD {sd:g} points from draw to draw, {num_problems:,} problems, {accuracy:.0%}:"
    ]
    for difference in (0.5, 1.0, 2.0, 3.0, 5.0, 8.0):
        needed = units_to_separate(difference, sd=total, var_items=0.0)
        lines.append(f"  {difference:>4g} points: {needed if needed else INFEASIBLE}")
    return "\n".join(lines)
