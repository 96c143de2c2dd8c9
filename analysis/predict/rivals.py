"""What a prediction has to beat, and the same in two steps: functions of the fitted cells and the place of the held-out one.

    rivals(fitted, series, place, seen=seen, relatives=relatives)      # {'largest seen': 41.2, 'parameters': 44.0, ...}
    two_step(fitted, seen, series, target, place)                      # Prediction through a predicted loss

Of models: the value of the largest seen cell; a form on log2 of the parameter count in place of the loss; a straight line on
log2 of pretraining compute (of parameters where that is not known of all), without loss. Of data and k: the value of the
largest seen cell; one plane over all bases on log2 of the amount and of the parameter count (the slopes are shared); a
straight line on log2 of the amount.

Two steps (Bhagia et al. 2024, arXiv 2412.04403, OLMo's model ladder): a power law predicts the loss of the held-out base, a
sigmoid its accuracy from that. The ladder has an irreducible loss, terms of parameters and tokens apart, and a free floor and
ceiling; three to six bases cannot carry seven parameters, so that here the loss is one power of pretraining compute and the
sigmoid runs from 0 to 100 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.compare.fits import power_law
from analysis.load.points import Point
from analysis.predict.axes import Series
from analysis.stats.forms import LINE, SIGMOID, choose_form, fit_form
from analysis.stats.linear import NotEnough, fit_linear, t_quantile
from analysis.stats.prediction import Prediction, Seen, Target, predict

LARGEST, PARAMETERS, LOG_LINEAR = "largest seen", "parameters", "log-linear"
RIVALS = (LARGEST, PARAMETERS, LOG_LINEAR)


@dataclass(frozen=True)
class Place:
    """Where a held-out cell lies: all that a prediction may know of it."""

    coordinate: float
    size: float
    num_params: float | None


def rivals(
    fitted: Sequence[Point],
    series: Series,
    place: Place,
    *,
    seen: Sequence[Point],
    relatives: Sequence[Sequence[Point]],
) -> Mapping[str, float | None]:
    """Percent by rival; None where it cannot be had. `relatives`: fitted points of each base (for data and k).

    `seen`: all that are not held out, those at the floor or ceiling too, which no form holds but anybody has seen.
    """
    axis = series.axis
    ys = [p.estimate.value for p in fitted]
    sizes = [axis.size(p) or math.nan for p in fitted]
    if axis.of_models:
        counts = [p.cell.num_params or math.nan for p in fitted]
        by_count = _chosen(np.log2(counts).tolist(), ys, math.log2(place.num_params or math.nan))
    else:
        by_count = _plane([p for points in relatives for p in points], series, place)
    return {
        LARGEST: max(seen, key=lambda point: axis.size(point) or 0).estimate.value,
        PARAMETERS: by_count,
        LOG_LINEAR: _straight(np.log2(sizes).tolist(), ys, math.log2(place.size)),
    }


def _chosen(us: Sequence[float], ys: Sequence[float], u: float) -> float | None:
    if not np.isfinite([*us, u]).all():
        return None
    found = choose_form(us, ys)
    return None if isinstance(found, NotEnough) else _share(found.fit.predict(u))


def _straight(us: Sequence[float], ys: Sequence[float], u: float) -> float | None:
    if not np.isfinite([*us, u]).all():
        return None
    found = fit_form(LINE, us, ys)
    return None if isinstance(found, NotEnough) else _share(found.predict(u))


def _plane(points: Sequence[Point], series: Series, place: Place) -> float | None:
    rows = [(1.0, series.axis.coordinate(p) or 0.0, math.log2(p.cell.num_params)) for p in points if p.cell.num_params]
    if not place.num_params or len(rows) < len(points):
        return None
    fit = fit_linear(rows, [p.estimate.value for p in points], names=("a", "amount", "parameters"))
    if isinstance(fit, NotEnough):
        return None
    return _share(fit.beta @ np.array([1.0, place.coordinate, math.log2(place.num_params)]))


def _share(value: object) -> float:
    return float(np.clip(np.asarray(value, float), 0, 100))


def two_step(
    fitted: Sequence[Point], seen: Sequence[Seen], series: Series, target: Target, place: Place
) -> Prediction | None:
    """Accuracy through a predicted loss; its interval holds the error of the predicted loss too. None: there is none."""
    if not series.axis.of_models:
        return None
    sizes = [series.axis.size(p) or math.nan for p in fitted]
    law = power_law(sizes, [-cell.u for cell in seen], what="loss on compute")
    if isinstance(law, NotEnough) or not np.isfinite(place.size):
        return None
    at = math.log(place.size)
    loss = math.exp(float(law.predict(at)))
    found = predict(seen, replace(target, u=-loss), forms=(SIGMOID,))
    curve = fit_form(SIGMOID, [cell.u for cell in seen], [cell.percent for cell in seen])
    if isinstance(found, NotEnough) or isinstance(curve, NotEnough):
        return None
    scatter = float(law.residuals @ law.residuals) / law.df
    design = np.array([1.0, at])
    se_loss = loss * math.sqrt(scatter + float(design @ law.covariance @ design))
    variance = found.parts.variance + (curve.slope(-loss) * se_loss) ** 2
    half = t_quantile(0.95, df=min(law.df, curve.df)) * math.sqrt(variance)
    return replace(found, low=max(0.0, found.value - half), high=min(100.0, found.value + half))
