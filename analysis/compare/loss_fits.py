"""What predicts accuracy across bases: pretraining loss, parameters, compute; the base is the unit.

bases = base_rows(where(points, method="sft"))   # one row per base, replicates averaged
williams(bases.y, bases.loss, bases.log_params)  # is the correlation with loss the stronger?
held_out(bases)                                  # {'loss': 3.1, 'log10 parameters': 5.8, ...}: RMSE on bases left out
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.compare.fits import CEILING, FLOOR
from analysis.load.cells import BASE_STAGES, Cell
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.stats.linear import LinearFit, LineFit, NotEnough, fit_line, fit_linear

Floats = NDArray[np.float64]

FLOPS_PER_PARAM_TOKEN = 6.0  # pretraining compute = 6 N D (Kaplan et al. 2020, section 2.1)


@dataclass(frozen=True)
class BaseRows:
    """One row per base; NaN where a base lacks the number."""

    names: tuple[str, ...]
    y: Floats  # percent, or points
    loss: Floats  # in the unit of the cells
    log_params: Floats  # log10
    log_compute: Floats  # log10 FLOPs of pretraining


def base_rows(points: Sequence[Point], *, values: Sequence[float] | None = None) -> BaseRows:
    """Rows of points that are one per base: y is their accuracy unless `values` are given."""
    names = base_names(p.cell for p in points)
    assert len(names) == len(points), "one point per base"
    ys = [p.estimate.value for p in points] if values is None else list(values)
    params = np.array([p.cell.num_params or math.nan for p in points], float)
    compute = np.array([pretrain_flops(p.cell) for p in points], float)
    return BaseRows(
        tuple(names[p.cell.base] for p in points),
        np.array(ys, float),
        np.array([math.nan if p.loss is None else p.loss for p in points], float),
        np.log10(params),
        np.log10(compute),
    )


def pretrain_flops(cell: Cell) -> float:
    """6 N D, or as published; NaN where neither is known."""
    if cell.num_params and cell.pretrain_tokens:
        return FLOPS_PER_PARAM_TOKEN * cell.num_params * cell.pretrain_tokens
    return sum(stage.flops for stage in cell.cost if stage.name in BASE_STAGES) or math.nan


def measurable(points: Sequence[Point]) -> list[Point]:
    """Points fit for a regression over bases: a loss, not post-trained, away from floor and ceiling."""
    return [
        p for p in points if p.loss is not None and not p.cell.post_trained and FLOOR <= p.estimate.value <= CEILING
    ]


def texts_differ(points: Sequence[Point]) -> bool:
    """Whether their losses were measured on different texts: such are on no common axis, and may be in different units."""
    return len({p.cell.loss_text for p in points if p.loss is not None}) > 1


TEXTS_DIFFER = "the bases' losses were measured on different texts"


def fit_on_loss(points: Sequence[Point], values: Sequence[float], *, what: str) -> LineFit | NotEnough:
    """A line of one value for each base on its pretraining loss; none where the losses are of different texts."""
    if texts_differ(points):
        return NotEnough(what, TEXTS_DIFFER)
    return fit_line([math.nan if p.loss is None else p.loss for p in points], values, what=what)


@dataclass(frozen=True)
class Williams:
    """Two correlations with the same variable compared."""

    r_first: float
    r_second: float
    r_between: float
    t: float  # > 0: the first is the stronger
    df: int
    p: float  # two-sided


def williams(y: Floats, first: Floats, second: Floats) -> Williams | NotEnough:
    """Williams' test (1959) in Steiger's form (1980, Psychol. Bull. 87, 245-251, T2) on absolute correlations; n - 3 df.

    Signs are turned so that both correlations are positive: the question is which predicts better.
    """
    from scipy import stats

    n = len(y)
    if n < 5:
        return NotEnough(
            "loss against parameters", f"{n} bases; Williams' test needs at least 5 for 2 degrees of freedom"
        )
    if min(np.std(y), np.std(first), np.std(second)) < 1e-12:
        return NotEnough("loss against parameters", "a variable is the same for all bases")
    r12, r13 = float(np.corrcoef(y, first)[0, 1]), float(np.corrcoef(y, second)[0, 1])
    r23 = float(np.corrcoef(first, second)[0, 1]) * float(np.sign(r12) * np.sign(r13))
    a, b = abs(r12), abs(r13)
    determinant = 1 - a**2 - b**2 - r23**2 + 2 * a * b * r23
    bottom = 2 * determinant * (n - 1) / (n - 3) + (a + b) ** 2 / 4 * (1 - r23) ** 3
    if bottom <= 0 or r23 >= 1 - 1e-12:
        return NotEnough("loss against parameters", "loss and parameters are the same variable up to scale")
    t = (a - b) * math.sqrt((n - 1) * (1 + r23) / bottom)
    return Williams(r12, r13, r23, t, n - 3, float(2 * stats.t.sf(abs(t), n - 3)))


PREDICTORS = ("loss", "log10 parameters", "log10 compute", "loss and log10 parameters")


def fit_predictor(rows: BaseRows, *, name: str) -> LinearFit | NotEnough:
    """Accuracy on one of PREDICTORS, over the bases that have it."""
    columns = {
        "loss": [rows.loss],
        "log10 parameters": [rows.log_params],
        "log10 compute": [rows.log_compute],
        "loss and log10 parameters": [rows.loss, rows.log_params],
    }[name]
    design = np.stack([np.ones_like(rows.y), *columns], axis=1)
    known = np.isfinite(design).all(axis=1)
    return fit_linear(design[known], rows.y[known], names=("a", *name.split(" and ")), what=f"accuracy on {name}")


def held_out(rows: BaseRows) -> dict[str, float | NotEnough]:
    """Root mean squared error, in points, of predicting each base from the others, by predictor."""
    result: dict[str, float | NotEnough] = {}
    for name in PREDICTORS:
        fit = fit_predictor(rows, name=name)
        if isinstance(fit, NotEnough):
            result[name] = fit
        elif not math.isfinite(fit.held_out_rmse):
            result[name] = NotEnough(
                name, "one base alone fixes a coefficient, so it cannot be predicted from the others"
            )
        else:
            result[name] = fit.held_out_rmse
    return result
