"""Functional forms of accuracy on one quantity, each fitted by least squares, and the choice among them on the fitted part.

    near = choose_form([-1.8, -1.75, -1.73, -1.68, -1.62], [35.9, 41.6, 43.0, 50.0, 54.6])
    near.form.name, near.fit.predict(-1.5)          # 'line', array(65.6)

Coordinates grow with quality: log2 of an amount (human examples, k, parameters, compute), minus the pretraining loss. In them
the forms are the log-linear law, a power law to a ceiling (A - B n^-c) and a sigmoid from 0 to 100 percent.

The choice: Akaike's criterion with the correction for few points (AICc; Hurvich & Tsai 1989, Biometrika 76, 297-307). The
straight line stands unless another form is better by RULE_OF_THUMB (Burnham & Anderson 2002, section 2.6), and below the
number of points for which the criterion is defined: what cannot be told apart is not chosen from.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.linear import NotEnough

Floats = NDArray[np.float64]

UNBOUNDED = "asymptote unbounded"
RULE_OF_THUMB = 2.0  # of AICc
STEP = 1e-6  # of numerical derivatives
SPACING = 0.25
EXPONENTS = np.arange(-6.0, 3.0 + SPACING, SPACING)  # logarithms of c that a power law is looked for among
MOST = 1e4  # of B
MOST_STEPS = 100
ZOOMS = 8


@dataclass(frozen=True)
class Form:
    """A family of curves."""

    name: str
    curve: Callable[[Floats, Floats], Floats]  # (parameters, coordinates) to percent
    solve: Callable[[Floats, Floats], Floats]  # (coordinates, percent) to the parameters of least squares
    num_parameters: int  # of the curve, the scatter about it not counted
    flat: Callable[[Floats], bool] = lambda _: (
        False
    )  # whether parameters stand at a bound, so that the form says nothing more


@dataclass(frozen=True)
class FormFit:
    """A curve through points."""

    form: Form
    parameters: Floats
    origin: float  # coordinates are counted from here
    n: int
    rss: float  # of residuals, squared points
    inverse: Floats  # of J'J, J the derivatives of the curve at the points

    @property
    def df(self) -> int:
        """Points beyond the parameters."""
        return self.n - self.form.num_parameters

    @property
    def note(self) -> str:
        """What is odd about it; '' for nothing."""
        return UNBOUNDED if self.form.flat(self.parameters) else ""

    @property
    def aicc(self) -> float:
        """Infinite where the criterion is not defined."""
        k = self.form.num_parameters + 1  # with the scatter
        if self.n <= k + 1:
            return math.inf
        scatter = max(self.rss / self.n, 1e-12)  # exact curves
        return self.n * math.log(scatter) + 2 * k + 2 * k * (k + 1) / (self.n - k - 1)

    def predict(self, u: ArrayLike) -> Floats:
        """Percent at coordinates."""
        return self.form.curve(self.parameters, np.asarray(u, float) - self.origin)

    def spread(self, u: float) -> float:
        """g' (J'J)^-1 g: the variance of the height at `u`, the curve's own error, in units of the scatter's variance."""
        g = _gradient(self.form, self.parameters, np.array([u - self.origin]))[0]
        return float(g @ self.inverse @ g)

    def slope(self, u: float) -> float:
        """Points per unit of the coordinate."""
        return float((self.predict(u + STEP) - self.predict(u - STEP)) / (2 * STEP))


def _line(theta: Floats, u: Floats) -> Floats:
    return np.asarray(theta[0] + theta[1] * u)


def _power(theta: Floats, u: Floats) -> Floats:
    """A - B 2^(-c u), with c = exp(theta[2])."""
    return np.asarray(theta[0] - theta[1] * 2.0 ** np.clip(-np.exp(theta[2]) * u, -500, 500))


def _sigmoid(theta: Floats, u: Floats) -> Floats:
    return np.asarray(100 / (1 + np.exp(-np.clip(theta[0] + theta[1] * u, -50, 50))))


def _solve_line(u: Floats, y: Floats) -> Floats:
    return np.asarray(np.polynomial.polynomial.polyfit(u, y, 1), float)


def _solve_power(u: Floats, y: Floats) -> Floats:
    """The other two parameters are least squares of an exponent: the best of a row of exponents, then of finer ones."""
    exponents, width = EXPONENTS, SPACING
    for _ in range(ZOOMS):
        a, b, errors = _power_of(exponents, u, y)
        best = int(np.argmin(errors))
        theta = np.array([a[best], b[best], exponents[best]])
        exponents = np.clip(theta[2] + np.linspace(-width, width, 41), EXPONENTS[0], EXPONENTS[-1])
        width /= 10
    return theta


def _power_of(exponents_E: Floats, u: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """A and B within their bounds for each exponent, and the sum of squares. The problem is convex, so that where A passes a
    bound it stands at that bound."""
    x_EN = -(2.0 ** np.clip(-np.exp(exponents_E)[:, None] * u, -500, 500))
    centred_EN = x_EN - x_EN.mean(axis=1, keepdims=True)
    top = (centred_EN**2).sum(axis=1)
    b = np.clip(np.divide(centred_EN @ (y - y.mean()), top, out=np.zeros_like(top), where=top > 0), 0.0, MOST)
    a = y.mean() - b * x_EN.mean(axis=1)
    inside = np.clip(a, 0.0, 100.0)
    bound = np.clip((x_EN * (y - inside[:, None])).sum(axis=1) / (x_EN**2).sum(axis=1), 0.0, MOST)
    b = np.where(a == inside, b, bound)
    return inside, b, ((y - inside[:, None] - b[:, None] * x_EN) ** 2).sum(axis=1)


def _solve_sigmoid(u: Floats, y: Floats) -> Floats:
    """Levenberg and Marquardt's method from the line through the log-odds."""
    odds = np.clip(y, 0.5, 99.5) / 100
    theta = _solve_line(u, np.log(odds / (1 - odds)))
    damping, error = 1e-3, y - _sigmoid(theta, u)
    for _ in range(MOST_STEPS):
        share = _sigmoid(theta, u) / 100
        jacobian = np.stack([100 * share * (1 - share), 100 * share * (1 - share) * u], axis=1)
        square = jacobian.T @ jacobian
        damped = square + damping * np.diag(np.diag(square))
        step = np.asarray(np.linalg.lstsq(damped, jacobian.T @ error, rcond=None)[0], float)
        tried = y - _sigmoid(theta + step, u)
        if tried @ tried <= error @ error:
            theta, error, damping = theta + step, tried, damping / 10
            if np.max(np.abs(step)) < 1e-9:
                break
        else:
            damping *= 10
    return np.asarray(theta, float)


LINE = Form("line", _line, _solve_line, 2)
POWER = Form(
    "power law to a ceiling", _power, _solve_power, 3,
    flat=lambda theta: bool(theta[0] >= 99.5 or theta[2] <= EXPONENTS[0] + 0.5),
)  # fmt: skip
SIGMOID = Form("sigmoid", _sigmoid, _solve_sigmoid, 2)
FORMS = (LINE, POWER, SIGMOID)


def fit_form(form: Form, u: ArrayLike, y: ArrayLike) -> FormFit | NotEnough:
    """Least squares within the form's bounds; needs points at as many places as it has parameters."""
    us, ys = np.asarray(u, float), np.asarray(y, float)
    if len(np.unique(us)) < form.num_parameters:
        return NotEnough(form.name, f"points at {len(np.unique(us))} places for {form.num_parameters} parameters")
    origin = float(us.max())
    theta = form.solve(us - origin, ys)
    residuals = ys - form.curve(theta, us - origin)
    jacobian = _gradient(form, theta, us - origin)
    inverse = np.asarray(np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-12), float)
    return FormFit(form, theta, origin, len(us), float(residuals @ residuals), inverse)


def _gradient(form: Form, theta: Floats, u: Floats) -> Floats:
    """Derivatives of the curve by its parameters, [points, parameters]."""
    columns = []
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = STEP * max(1.0, abs(float(theta[i])))
        columns.append((form.curve(theta + step, u) - form.curve(theta - step, u)) / (2 * step[i]))
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Chosen:
    """The chosen form, and those that the points cannot tell from it."""

    fit: FormFit
    alike: tuple[FormFit, ...]  # with as good a criterion, within RULE_OF_THUMB

    @property
    def form(self) -> Form:
        """The chosen form."""
        return self.fit.form


def choose_form(u: ArrayLike, y: ArrayLike, *, forms: Sequence[Form] = FORMS) -> Chosen | NotEnough:
    """The form of some points by AICc (see the module), by them alone; the first form stands until another is better."""
    return _choice(tuple(map(float, np.asarray(u, float))), tuple(map(float, np.asarray(y, float))), tuple(forms))


@functools.lru_cache(maxsize=1024)  # cells held out together are predicted from one fit
def _choice(u: tuple[float, ...], y: tuple[float, ...], forms: tuple[Form, ...]) -> Chosen | NotEnough:
    first = fit_form(forms[0], u, y)
    if isinstance(first, NotEnough):
        return first
    others = [fit for form in forms[1:] if not isinstance(fit := fit_form(form, u, y), NotEnough) and not fit.note]
    told = [fit for fit in others if math.isfinite(fit.aicc)]
    best = min(told, key=lambda fit: fit.aicc, default=first)
    chosen = best if best.aicc < first.aicc - RULE_OF_THUMB else first
    alike = [fit for fit in (first, *others) if fit is not chosen and _alike(fit, chosen)]
    return Chosen(chosen, tuple(alike))


def _alike(one: FormFit, chosen: FormFit) -> bool:
    """Where the criterion is not defined: forms with as many parameters, whose sums of squares it would compare."""
    if math.isfinite(one.aicc) and math.isfinite(chosen.aicc):
        return abs(one.aicc - chosen.aicc) <= RULE_OF_THUMB
    return one.form.num_parameters == chosen.form.num_parameters and not math.isfinite(chosen.aicc)
