"""How large a study has to be: the power of an interval, and the draws and problems that would separate a difference.

    power_of(2.0, sd=1.5, var_items=0.1, units=8)              # 0.85: chance that 8 draws separate 2 points
    needed_to_separate(2.0, sd=1.5, var_items=0.1, problems=1319)      # Needed(draws=8, problems=1319); None: no study could

A unit is whatever is drawn anew: a draw of a base, or a base. Nobody runs hundreds of bases: what more than MOST_DRAWS draws
and MOST_PROBLEMS test problems would take is not separable by any feasible study, and no number is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from analysis.stats.nested import Floats, upper_ratio

LEVEL = 0.95  # of the interval that says better or worse
POWER = 0.8  # wanted chance of separating a difference that is there
VERDICT_UNITS = 5  # draws of one base, or bases: fewer give no verdict
MOST_DRAWS = 50  # of one base
MOST_PROBLEMS = 20_000  # fifteen times GSM8K's test set
INFEASIBLE = "not separable by any feasible study"


MOST_DF = 1e6  # beyond, t is normal to six digits
VARIANCE_NODES = 200  # where the units' variance may fall by chance: power is then exact to 0.05 %


def power_of(
    difference: float, *, sd: float, var_items: float, units: int, level: float = LEVEL, fitted: int = 1
) -> float:
    """Chance that the interval of so many units excludes 0 on the right side.

    `sd`: of one unit's value; `var_items`: variance that units do not shrink; `fitted`: means or coefficients that the units'
    scatter is about (1 for a mean, the configurations of a mean over several, 2 for a slope). The study will know
    the units' variance, and so its degrees of freedom (Satterthwaite), only by estimates: power is the mean over what it may
    find (chi-square), not the power at the true values, which promises up to 1 % too much.
    """
    from scipy import special

    variance, own_df = sd**2 / units + var_items, units - fitted
    if variance <= 0:
        return 1.0 if difference else 0.0
    found = sd**2 / units * _variance_ratios(own_df)
    upper = float(upper_ratio(float(own_df))) * found  # where the interval takes its degrees of freedom
    share = upper / (upper + var_items) if sd > 0 else np.zeros(VARIANCE_NODES)
    df = own_df / np.maximum(share**2, own_df / MOST_DF)
    ends = special.stdtrit(df, 0.5 + level / 2) * np.sqrt(found + var_items)
    return float(np.mean(special.ndtr((abs(difference) - ends) / math.sqrt(variance))))


@lru_cache(maxsize=4096)
def _variance_ratios(df: int) -> Floats:
    """Equally likely ratios of an estimated to the true variance."""
    from scipy import special

    ranks = (np.arange(VARIANCE_NODES) + 0.5) / VARIANCE_NODES
    ratios: Floats = special.chdtri(df, 1 - ranks) / df
    return ratios


@dataclass(frozen=True)
class Needed:
    """The smallest study that separates a difference."""

    draws: int
    problems: int  # test problems

    def words(self, *, problems: int, unit: str = "draws") -> str:
        """'9 draws', '12 draws and 5,276 problems' where the problems that there are would not do."""
        more = f" and {self.problems:,} problems" if self.problems > problems else ""
        return f"{self.draws} {unit}{more}"


def needed_to_separate(
    difference: float,
    *,
    sd: float,
    var_items: float,
    problems: int,
    power: float = POWER,
    level: float = LEVEL,
    fitted: int = 1,
    least: int = VERDICT_UNITS,
) -> Needed | None:
    """The fewest draws (at least `least`) with that power on the problems that there are, or on twice, four times as
    many and so on; None where no feasible study has it. `var_items` holds for the problems that there are.
    """
    count = problems
    while difference and (count <= MOST_PROBLEMS or count == problems):
        fixed = var_items * problems / count if count else var_items
        draws = units_to_separate(
            difference, sd=sd, var_items=fixed, power=power, level=level, fitted=fitted, least=least
        )
        if draws is not None:
            return Needed(draws, count)
        if not count or not var_items:
            return None
        count *= 2
    return None


def units_to_separate(
    difference: float,
    *,
    sd: float,
    var_items: float,
    power: float = POWER,
    most: int = MOST_DRAWS,
    level: float = LEVEL,
    fitted: int = 1,
    least: int = VERDICT_UNITS,
) -> int | None:
    """Fewest units (at least `least`) with that power; None when `most` do not reach it."""
    power_at = partial(power_of, difference, sd=sd, var_items=var_items, level=level, fitted=fitted)
    if difference == 0 or least > most or power_at(units=most) < power:
        return None
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        if power_at(units=middle) >= power:
            high = middle
        else:
            low = middle + 1
    return low
