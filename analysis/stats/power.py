"""How large a study has to be: the power of an interval, and the draws and problems that would separate a difference.

    power_of(2.0, sd=1.5, var_items=0.1, units=8)              # 0.85: chance that 8 draws separate 2 points
    needed_for_all([Asked(2.0, sd=1.5, var_items=0.1, problems=1319)])      # Needed(draws=8, problems=1319); None: no study

A unit is whatever is drawn anew: a draw of a base, or a base. Nobody runs hundreds of bases: what more than MOST_DRAWS draws
of each base (or MOST_DRAWS bases) and MOST_PROBLEMS test problems would take is not separable by any feasible study, and no
number is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from analysis.stats.nested import Floats, upper_ratio

LEVEL = 0.95  # of the interval that says better or worse
POWER = 0.8  # wanted chance of separating a difference that is there
VERDICT_UNITS = 5  # draws of one base, or bases: fewer give no verdict
MOST_DRAWS = 50  # of one base; of bases where they are the units
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

    draws: int  # of each base; where bases are the units, bases
    problems: int  # test problems
    bases: int = 1  # that a mean is over, each drawn as often

    def words(self, *, problems: int, unit: str = "draws") -> str:
        """'9 draws', '19 draws of each base', '12 draws and 5,276 problems' where those that there are would not do."""
        each = " of each base" if self.bases > 1 else ""
        more = f" and {self.problems:,} problems" if self.problems > problems else ""
        return f"{self.draws} {unit}{each}{more}"


@dataclass(frozen=True)
class Asked:
    """A difference that a study is to separate, and where its noise is."""

    difference: float
    sd: float  # of one unit
    var_items: float  # variance that units do not shrink, on the problems that there are
    problems: int  # that there are
    fitted: int = 1  # as in `power_of`
    least: int = VERDICT_UNITS  # units of all bases together that a verdict needs
    bases: int = 1  # that a mean is over

    def power(self, draws: int, *, times: float, level: float) -> float:
        """Of so many draws of each base, on so many times the problems."""
        noise = {"sd": self.sd, "var_items": self.var_items / times}
        return power_of(self.difference, **noise, units=draws * self.bases, level=level, fitted=self.fitted)


def needed_for_all(
    asked: Sequence[Asked], *, power: float = POWER, level: float = LEVEL, most_problems: int = MOST_PROBLEMS
) -> Needed | None:
    """The fewest draws that separate ALL of some differences with that power, on the problems that there are, or on twice,
    four times as many and so on up to `most_problems`; None where no feasible study does.

    However the differences go together, all are separated at least as often as 1 minus the sum of the chances of missing
    each (Boole's inequality): exact where one is as good as sure, a draw or two too many for two that are alike.
    """
    problems, bases = max(one.problems for one in asked), max(one.bases for one in asked)
    least = max(math.ceil(one.least / one.bases) for one in asked)
    more = any(one.var_items for one in asked)
    for number in _doubled(problems, most=most_problems if more else problems):
        times = number / problems if problems else 1.0

        def chance(draws: int, times: float = times) -> float:
            return 1 - sum(1 - one.power(draws, times=times, level=level) for one in asked)

        draws = _fewest(chance, power=power, least=least, most=MOST_DRAWS)
        if draws is not None and all(one.difference for one in asked):
            return Needed(draws, number, bases)
    return None


def _doubled(problems: int, *, most: int) -> list[int]:
    """The problems that there are, twice as many and so on, and the most that there can be."""
    numbers = [problems]
    while problems and numbers[-1] < most:
        numbers.append(min(2 * numbers[-1], most))
    return numbers


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
    return _fewest(lambda units: power_at(units=units), power=power, least=least, most=most) if difference else None


def _fewest(chance: Callable[[int], float], *, power: float, least: int, most: int) -> int | None:
    """The fewest of `least` to `most` units that have a chance of `power`, which more units have too."""
    if least > most or chance(most) < power:
        return None
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        if chance(middle) >= power:
            high = middle
        else:
            low = middle + 1
    return low
