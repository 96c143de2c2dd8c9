"""A cell predicted from others before it is looked at: value, interval, and whether these cells allow a prediction at all.

    seen = [Seen.of(u, point.estimate) for u, point in zip(coordinates, points)]
    found = predict(seen, Target(u=-1.50, num_items=1319, num_units=1))
    found.value, found.low, found.high, found.refused       # 64.1, 59.0, 69.2, ''

The form is chosen on the seen cells alone (analysis.stats.forms). The interval is for what a new cell will measure; its
variance has four parts, each an average over the seen cells or at the predicted height, so that nothing of the truth enters:

    fit      error of the curve's own height (delta method)
    bases    scatter about the curve beyond measured noise, and what draws and replicates add to one cell as it is planned
    items    test problems: binomial at the predicted height
    form     squared distance to the farthest curve of a form that the seen cells cannot tell from the chosen one

The scatter is at least the measured noise, so that cells which lie on a curve by luck give no narrower interval than their
problems allow. Three or four cells about a line show next to nothing of it: where the curve leaves fewer than OWN_DF degrees
of freedom, the same series of other bases (`kin`), each about a curve of its own of the same form, tell it too, and degrees
of freedom are those of all curves together. Bases scatter unlike, so that longer series stand alone. Simulated coverage:
tests/analysis/stats/test_prediction.py and tests/analysis/predict/test_paired.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.stats.forms import FORMS, Form, FormFit, choose_form, fit_form
from analysis.stats.linear import NotEnough, t_quantile
from analysis.stats.uncertainty import Estimate

Floats = NDArray[np.float64]

# Limits by convention, tuned on no study's errors; what lies beyond them is "cannot be predicted from these cells"
FEWEST = 3  # seen settings
FARTHEST = 1.0  # beyond the seen cells, in units of the range that they span on the coordinate
WIDEST = 20.0  # points, of a 95 % interval
OWN_DF = 3  # degrees of freedom with which a series tells its own scatter
CANNOT = "cannot be predicted from these cells"


@dataclass(frozen=True)
class Seen:
    """A cell that is fitted."""

    u: float  # its coordinate
    percent: float
    items: float  # variance that its test problems give, squared points
    unit: float  # variance of one unit that is drawn anew: a draw of the base, or a replicate; 0 where none is seen
    num_units: int

    @staticmethod
    def of(u: float, estimate: Estimate) -> Seen:
        """Of a measured accuracy."""
        total = estimate.se**2 if math.isfinite(estimate.se) else 0.0
        items = min(total, estimate.var_items) if math.isfinite(estimate.var_items) else total
        units = max(1, estimate.num_units)
        return Seen(u, estimate.value, items, (total - items) * units, units)

    @property
    def variance(self) -> float:
        """Of its accuracy, as far as it is measured."""
        return self.items + self.unit / self.num_units


@dataclass(frozen=True)
class Target:
    """What is known of a cell before it is looked at: where it lies, and how it is measured."""

    u: float
    num_items: int
    num_units: int  # draws of its base, or replicates


@dataclass(frozen=True)
class Parts:
    """Standard errors in points that the interval is made of (see the module)."""

    fit: float
    bases: float
    items: float
    form: float

    @property
    def variance(self) -> float:
        """All of them together."""
        return self.fit**2 + self.bases**2 + self.items**2 + self.form**2


@dataclass(frozen=True)
class Prediction:
    """What a cell will measure, in percent."""

    value: float
    low: float
    high: float
    parts: Parts
    form: str
    num_seen: int
    reach: float  # beyond the seen cells, in units of their range; 0 within it
    refused: str  # why it is none: these cells do not allow it; '' where they do

    def covers(self, truth: float) -> bool:
        """Whether a measured accuracy lies in the interval."""
        return self.low <= truth <= self.high


def predict(
    seen: Sequence[Seen],
    target: Target,
    *,
    kin: Sequence[Sequence[Seen]] = (),
    forms: Sequence[Form] = FORMS,
    level: float = 0.95,
) -> Prediction | NotEnough:
    """Fit the seen cells, predict the target; NotEnough where no number can be given, a refusal where one should not be.

    `kin`: seen cells of series that differ from this one in the base alone.
    """
    us, ys = np.array([cell.u for cell in seen], float), np.array([cell.percent for cell in seen], float)
    places = len(np.unique(us))
    if places < FEWEST:
        return NotEnough(CANNOT, _too_few(places))
    chosen = choose_form(us, ys, forms=forms)
    if isinstance(chosen, NotEnough):
        return chosen
    fit = chosen.fit
    value = float(np.clip(fit.predict(target.u), 0, 100))
    known = float(np.mean([cell.variance for cell in seen]))
    scatter, df = _scatter(fit, kin)
    share = (value / 100 * target.num_items + 0.5) / (target.num_items + 1)
    units = float(np.mean([cell.unit for cell in seen])) / target.num_units
    parts = Parts(
        fit=math.sqrt(max(scatter, known) * fit.spread(target.u)),
        bases=math.sqrt(max(0.0, scatter - known) + units),
        items=100 * math.sqrt(share * (1 - share) / target.num_items),
        form=max((abs(float(other.predict(target.u)) - value) for other in chosen.alike), default=0.0),
    )
    half = t_quantile(level, df=df) * math.sqrt(parts.variance)
    low, high = max(0.0, value - half), min(100.0, value + half)
    reach = _reach(us, target.u)
    return Prediction(value, low, high, parts, fit.form.name, len(seen), reach, _refusal(reach, low, high))


def _scatter(fit: FormFit, kin: Sequence[Sequence[Seen]]) -> tuple[float, int]:
    """(variance, its degrees of freedom) about the curve, and about those of kin that are long enough where it takes them."""
    if fit.df >= OWN_DF:
        return fit.rss / fit.df, fit.df
    told = [cells for cells in kin if len({cell.u for cell in cells}) >= FEWEST]
    others = [fit_form(fit.form, [cell.u for cell in cells], [cell.percent for cell in cells]) for cells in told]
    fits = [fit, *(one for one in others if isinstance(one, FormFit))]
    df = sum(one.df for one in fits)
    return sum(one.rss for one in fits) / df, df


def _too_few(places: int) -> str:
    return f"{places} fitted setting{'s' * (places != 1)}, {FEWEST} are needed"


def _reach(us: Floats, u: float) -> float:
    return float(max(us.min() - u, u - us.max(), 0.0) / np.ptp(us))


def _refusal(reach: float, low: float, high: float) -> str:
    if reach > FARTHEST + 1e-9:
        return f"{reach:.1f} times the fitted range beyond it"
    if high - low > WIDEST:
        return f"interval {high - low:.1f} points wide"
    return ""


def farthest(
    seen: Sequence[Seen], *, num_items: int, num_units: int, kin: Sequence[Sequence[Seen]] = (), steps: int = 50
) -> float | NotEnough:
    """The highest coordinate up to which these cells allow a prediction without a gap from the last of them on."""
    if not seen:
        return NotEnough(CANNOT, _too_few(0))
    first = predict(seen, Target(max(cell.u for cell in seen), num_items, num_units), kin=kin)
    if isinstance(first, NotEnough):
        return first
    us = [cell.u for cell in seen]
    best = -math.inf
    for u in max(us) + np.linspace(0, FARTHEST, steps + 1) * (max(us) - min(us)):
        found = predict(seen, Target(float(u), num_items, num_units), kin=kin)
        if isinstance(found, NotEnough) or found.refused:
            break
        best = float(u)
    return best if math.isfinite(best) else NotEnough(CANNOT, first.refused)
