"""Straight-line and multiple least squares with everything a reader of a fit asks for; numpy and scipy's t alone.

    fit = fit_line(losses, accuracies)            # LineFit, or NotEnough with its reason
    fit.b, fit.se_b, fit.r2, fit.n                # -93.04, 5.21, 0.984, 7 for the published SFT row
    fit.interval(level=0.95)                      # t-interval of the slope, df = n - 2

Least squares as in any textbook (Draper & Smith, Applied Regression Analysis, chapters 1, 5 and 8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NotEnough:
    """No fit, and why. Truthiness is False, so that `if fit:` reads well."""

    what: str  # e.g. 'accuracy against pretraining loss, ICL'
    reason: str  # e.g. '2 points; a line with a standard error needs at least 3'

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"not enough data for {self.what}: {self.reason}"


@dataclass(frozen=True)
class LinearFit:
    """y = X beta by (weighted) least squares; the error variance is estimated from the residuals."""

    names: tuple[str, ...]  # of the coefficients
    beta: Floats
    covariance: Floats  # of beta
    r2: float
    n: int  # points
    df: int  # n - number of coefficients
    residuals: Floats  # y - fitted, in the unit of y
    leave_one_out: Floats  # [n, coefficients]: beta without each point
    held_out_errors: Floats  # [n]: y minus its prediction from the fit without it

    @property
    def se(self) -> Floats:
        """Standard error of each coefficient."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def held_out_rmse(self) -> float:
        """Root mean squared error of predicting each point from the others."""
        return float(np.sqrt(np.mean(self.held_out_errors**2)))

    def interval_of(self, index: int, *, level: float = 0.95) -> tuple[float, float]:
        """t-interval of one coefficient."""
        half = t_quantile(level, df=self.df) * float(self.se[index])
        return float(self.beta[index]) - half, float(self.beta[index]) + half

    def p_value(self, index: int) -> float:
        """Two-sided p of the coefficient being 0."""
        from scipy import stats

        if self.se[index] == 0:
            return 1.0 if self.beta[index] == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.beta[index] / self.se[index]), self.df))


@dataclass(frozen=True)
class LineFit(LinearFit):
    """y = a + b x."""

    x: Floats
    y: Floats

    @property
    def a(self) -> float:
        """Intercept."""
        return float(self.beta[0])

    @property
    def b(self) -> float:
        """Slope."""
        return float(self.beta[1])

    @property
    def se_a(self) -> float:
        """Standard error of the intercept."""
        return float(self.se[0])

    @property
    def se_b(self) -> float:
        """Standard error of the slope."""
        return float(self.se[1])

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """t-interval of the slope."""
        return self.interval_of(1, level=level)

    def predict(self, x: ArrayLike) -> Floats:
        """Height of the line."""
        return self.a + self.b * np.asarray(x, float)

    def band(self, x: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
        """Pointwise t-interval of the line's height (not of new points)."""
        values = np.asarray(x, float)
        design = np.stack([np.ones_like(values), values], axis=-1)
        half = t_quantile(level, df=self.df) * np.sqrt(np.einsum("...i,ij,...j->...", design, self.covariance, design))
        return self.predict(values) - half, self.predict(values) + half


@lru_cache(4096)
def t_quantile(level: float, *, df: float) -> float:
    """Half-width of a two-sided interval of `level` in standard errors; infinite when df <= 0."""
    from scipy import stats

    return float(stats.t.ppf(0.5 + level / 2, df)) if df > 0 else math.inf


def fit_line(
    x: ArrayLike, y: ArrayLike, *, weights: ArrayLike | None = None, what: str = "a line", min_points: int = 3
) -> LineFit | NotEnough:
    """y = a + b x. Coordinates must be finite: leaving points out is the caller's, with its reason."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    assert np.isfinite([xs, ys]).all(), "only finite points are fitted"
    if len(xs) < min_points:
        need = f"a line with a standard error needs at least {min_points}"
        return NotEnough(what, f"{len(xs)} point{'s' if len(xs) != 1 else ''}; {need}")
    if len(np.unique(xs)) < 2:
        return NotEnough(what, f"all {len(xs)} points have the same x ({xs[0]:g})")
    fit = fit_linear(np.stack([np.ones_like(xs), xs], axis=1), ys, names=("a", "b"), weights=weights, what=what)
    if isinstance(fit, NotEnough):
        return fit
    return LineFit(**{name: getattr(fit, name) for name in LinearFit.__dataclass_fields__}, x=xs, y=ys)


def fit_linear(
    design: ArrayLike, y: ArrayLike, *, names: Sequence[str], weights: ArrayLike | None = None, what: str = "a fit"
) -> LinearFit | NotEnough:
    """Least squares on design [n, p] (its first column ones) and y [n]; weights [n] are inverse variances.

    R^2 is the (weighted) share of variance about the mean; NaN when y is constant.
    """
    matrix, ys = np.asarray(design, float), np.asarray(y, float)
    num, width = matrix.shape
    if num <= width:
        return NotEnough(what, f"{num} points for {width} coefficients")
    root = np.sqrt(np.ones(num) if weights is None else np.asarray(weights, float))
    scaled, target = matrix * root[:, None], ys * root
    if np.linalg.matrix_rank(scaled) < width:
        return NotEnough(what, "the explanatory variables do not vary independently of one another")
    inverse = np.linalg.inv(scaled.T @ scaled)
    beta = inverse @ (scaled.T @ target)
    error = target - scaled @ beta
    rss = float(error @ error)
    centre = np.average(ys, weights=root**2)
    total = float(np.sum((root * (ys - centre)) ** 2))
    leverage = np.einsum("ij,jk,ik->i", scaled, inverse, scaled)
    # A point with leverage 1 is the only one to fix some coefficient: without it there is no fit (NaN).
    slack = np.where(leverage < 1 - 1e-9, 1 - leverage, np.nan)
    loo = beta - (inverse @ (scaled * (error / slack)[:, None]).T).T
    residuals = ys - matrix @ beta
    return LinearFit(
        names=tuple(names),
        beta=beta,
        covariance=inverse * rss / (num - width),
        r2=1 - rss / total if total > 0 else math.nan,
        n=num,
        df=num - width,
        residuals=residuals,
        leave_one_out=loo,
        held_out_errors=residuals / slack,
    )


@dataclass(frozen=True)
class HeldOut:
    """One point of a line as predicted from the others."""

    x: float
    measured: float
    predicted: float
    low: float  # of the 95 % prediction interval: scatter of the others about their line, and that line's own error
    high: float
    n: int  # points that the prediction rests on


def hold_out(
    x: ArrayLike, y: ArrayLike, *, index: int, what: str = "a prediction", level: float = 0.95
) -> HeldOut | NotEnough:
    """Predict point `index` from the line through the others (3 or more)."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    place = index % len(xs)
    line = fit_line(np.delete(xs, place), np.delete(ys, place), what=what)
    if isinstance(line, NotEnough):
        return line
    at = np.array([1.0, xs[place]])
    scatter = float(line.residuals @ line.residuals) / line.df
    half = t_quantile(level, df=line.df) * math.sqrt(scatter + float(at @ line.covariance @ at))
    predicted = float(line.predict(xs[place]))
    return HeldOut(float(xs[place]), float(ys[place]), predicted, predicted - half, predicted + half, line.n)
