"""Where the noise is: variance components of a result over draws of the base, replicates and test problems.

    found = components(draws)          # bases -> draws -> values [replicates, problems], as nested_mean takes them
    found.base.variance, found.base.interval        # 1.21, (0.3, 6.0): points squared; None where the design cannot show it
    found.error_of(draws=8, replicates=3, problems=1319)      # (standard error, its df) that such a study would have

Model: value of problem i in replicate r of draw d of configuration c

    y = mu_c + B_d + R_dr + P_ci + (BP)_di + e_dri

with independent normal effects (a problem has an effect of its own in each configuration, as it must in points where levels
differ: so its variance is what a study of one configuration meets). Estimates are REML (Patterson & Thompson 1971), by scipy,
for any numbers of replicates; all cells answer the same problems, so that the likelihood splits into one part for means over
problems and one for the rest.
Intervals are those of Ting, Burdick, Graybill, Jeyaratnam & Lu (1990, J. Statist. Comput. Simul. 35, 135-143) on mean
squares, with unweighted means where draws have unlike numbers of replicates (Thomas & Hultquist 1978, Ann. Statist. 6, 582).
Answers vary more in a configuration at 50 % than in one at 10 %. What only replicates can tell apart, the variance of a
single answer and that of a problem in one draw, rests therefore on the configurations that have replicates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats.drawn import Draws
from analysis.stats.nested import Floats

LEVEL = 0.95
NAMES = ("base", "replicate", "problem", "base_problem", "rest")
OF_REPEATED = ("base_problem", "rest")


@dataclass(frozen=True)
class Component:
    """One source of variance, of a single draw, replicate or answer."""

    variance: float
    interval: tuple[float, float]  # 95 %
    df: float

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.variance)

    @property
    def sd_interval(self) -> tuple[float, float]:
        """Of the standard deviation."""
        return math.sqrt(self.interval[0]), math.sqrt(self.interval[1])


@dataclass(frozen=True)
class Components:
    """All sources; None where the design cannot tell one from another."""

    base: Component | None  # draw of the base; with one replicate of each draw the replicate's variance is in it
    replicate: Component | None  # seeds of data, training and sampling, within a draw
    problem: Component | None  # that some problems are better than others for the result, whatever the draw
    base_problem: Component | None  # ... in one draw and not in another
    rest: Component | None  # a single answer

    @property
    def together(self) -> bool:
        """Whether each draw has one replicate, whose variance `base` then holds too."""
        return self.base is not None and self.replicate is None

    def error_of(self, *, draws: int, replicates: int, problems: int) -> tuple[float, float]:
        """Standard error of the mean for new bases, and its degrees of freedom, of a study of one configuration."""
        units = self._of(self.base) / draws + self._of(self.replicate) / (draws * replicates)
        units += (self._of(self.base_problem) + self._of(self.rest) / replicates) / (draws * problems)
        items = self._of(self.problem) / problems
        bottom = units**2 / max(draws - 1, 1) + items**2 / max(problems - 1, 1)
        df = (units + items) ** 2 / bottom if bottom else math.inf
        return math.sqrt(units + items), (df if draws > 1 else 0.0)

    @staticmethod
    def _of(component: Component | None) -> float:
        return 0.0 if component is None else component.variance


@dataclass(frozen=True)
class _Cells:
    """Values of all cells with what each belongs to."""

    values: Floats  # [cells, problems]
    base: Floats  # [cells, configurations], 0 or 1
    draw: Floats  # [cells, draws], 0 or 1

    @property
    def sizes(self) -> Floats:
        """Replicates of each draw."""
        return np.asarray(self.draw.sum(axis=0))


def components(bases: Sequence[Draws]) -> Components:
    """Estimates and intervals; configurations have means of their own and components in common."""
    cells = _cells(bases)
    known = _known(cells)
    variances, intervals = reml(cells, known), _intervals(cells)
    repeated = [draws for draws in bases if any(len(draw) > 1 for draw in draws)]
    if repeated and len(repeated) < len(bases):
        part = _cells(repeated)
        told, of_part, its_intervals = _known(part), reml(part, _known(part)), _intervals(part)
        known = [name for name in known if name not in OF_REPEATED or name in told]
        variances |= {name: of_part[name] for name in OF_REPEATED if name in told}
        intervals |= {name: its_intervals[name] for name in OF_REPEATED if name in told}
    shown = {name: Component(variances[name], *intervals[name]) for name in known if name in intervals}
    return Components(**{name: shown.get(name) for name in NAMES})


def _known(cells: _Cells) -> list[str]:
    """The components that a design can tell from the others, or at least has something of."""
    (draws, configurations), count = (cells.draw.shape[1], cells.base.shape[1]), len(cells.values)
    several, repeated, problems = draws > configurations, count > draws, cells.values.shape[1] > 1
    there = {
        "base": several, "replicate": repeated, "problem": problems and (several or repeated),
        "base_problem": problems and several and repeated, "rest": problems,
    }  # fmt: skip
    return [name for name in NAMES if there[name]]


def _cells(bases: Sequence[Draws]) -> _Cells:
    values, base, draw, place = [], [], [], 0
    for number, draws in enumerate(bases):
        for of_draw in draws:
            values.append(of_draw)
            base += [number] * len(of_draw)
            draw += [place] * len(of_draw)
            place += 1
    return _Cells(np.concatenate(values), np.eye(len(bases))[base], np.eye(place)[draw])


def reml(cells: _Cells, names: Sequence[str]) -> dict[str, float]:
    """The variances of highest restricted likelihood; those not in `names` are taken as 0."""
    from scipy.optimize import minimize

    scale = float(cells.values.var()) or 1.0
    problem = _Likelihood(cells, names, scale)
    start = np.full(len(names), 0.1)
    start[list(names).index("rest")] = 1.0 if "rest" in names else 0.1
    best = minimize(
        problem, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names),
        options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-8},
    )  # fmt: skip
    return {name: scale * float(value) for name, value in zip(names, best.x, strict=True)}


class _Likelihood:
    """-2 log restricted likelihood with its gradient, by variances in units of `scale`.

    Means over problems (times the root of their number) have covariance `over`, the remaining contrasts of problems `within`
    each, independent of one another.
    """

    def __init__(self, cells: _Cells, names: Sequence[str], scale: float) -> None:
        values = cells.values / math.sqrt(scale)
        self.num, self.design = values.shape[1], cells.base
        means = values.mean(axis=1)
        self.y = math.sqrt(self.num) * means
        self.cross = (values - means[:, None]) @ (values - means[:, None]).T
        one, same = np.eye(len(values)), cells.draw @ cells.draw.T
        alike = cells.base @ cells.base.T
        nothing = np.zeros_like(one)
        parts = {
            "base": (nothing, self.num * same), "replicate": (nothing, self.num * one), "problem": (alike, alike),
            "base_problem": (same, same), "rest": (one, one),
        }  # fmt: skip
        self.parts = [parts[name] for name in names]
        self.floor = 1e-10 * one  # keeps a matrix of rank below its size invertible on the way

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        within = self.floor + sum(t * part for t, (part, _) in zip(theta, self.parts, strict=True))
        over = self.floor + sum(t * part for t, (_, part) in zip(theta, self.parts, strict=True))
        value, slope = self._over(over)
        if self.num > 1:
            inverse = np.linalg.inv(within)
            solved = inverse @ self.cross
            value += (self.num - 1) * float(np.linalg.slogdet(within)[1]) + float(np.trace(solved))
            bend = (self.num - 1) * inverse - solved @ inverse
            slope += np.array([float((bend * part).sum()) for part, _ in self.parts])
        return value, slope

    def _over(self, over: Floats) -> tuple[float, Floats]:
        inverse = np.linalg.inv(over)
        middle = self.design.T @ inverse @ self.design
        rest = inverse - inverse @ self.design @ np.linalg.solve(middle, self.design.T @ inverse)
        solved = rest @ self.y
        value = float(np.linalg.slogdet(over)[1]) + float(np.linalg.slogdet(middle)[1]) + float(self.y @ solved)
        bend = rest - np.outer(solved, solved)
        return value, np.array([float((bend * part).sum()) for _, part in self.parts])


def _intervals(cells: _Cells) -> dict[str, tuple[tuple[float, float], float]]:
    """Interval and degrees of freedom of each component from the mean squares that show it."""
    squares = MeanSquares.of(cells)
    return {name: (squares.interval(name), squares.df[name]) for name in squares.df if squares.df[name] > 0}


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares on the scale of one cell's mean (draw, replicate) or of one answer (the others)."""

    mean: dict[str, float]
    df: dict[str, float]
    harmonic: float  # replicates a draw
    problems: int
    draws: float  # of a configuration, harmonic mean

    @staticmethod
    def of(cells: _Cells) -> MeanSquares:
        """Of the values of all cells."""
        sizes = cells.sizes
        num_cells, problems = cells.values.shape
        by_draw = cells.draw.T @ cells.values / sizes[:, None]
        base_of_draw = (cells.draw.T @ cells.base > 0).astype(float)
        within = cells.values - cells.draw @ by_draw  # replicate about its draw
        num_draws = base_of_draw.sum(axis=0)
        about = by_draw - base_of_draw @ (base_of_draw.T @ by_draw / num_draws[:, None])
        df_draw, df_rep = float(len(sizes) - len(num_draws)), float(num_cells - len(sizes))
        centre = base_of_draw.T @ by_draw / num_draws[:, None]
        mean = {
            "base": _ratio((about.mean(axis=1) ** 2).sum(), df_draw),
            "replicate": _ratio((within.mean(axis=1) ** 2).sum(), df_rep),
            "problem": _ratio((_centred(centre) ** 2).sum(), len(num_draws) * (problems - 1)),
            "base_problem": _ratio((_centred(about) ** 2).sum(), df_draw * (problems - 1)),
            "rest": _ratio((_centred(within) ** 2).sum(), df_rep * (problems - 1)),
        }
        df = {
            "base": df_draw, "replicate": df_rep, "problem": float(len(num_draws) * (problems - 1)),
            "base_problem": df_draw * (problems - 1), "rest": df_rep * (problems - 1),
        }  # fmt: skip
        return MeanSquares(mean, df, 1.0 / float(np.mean(1.0 / sizes)), problems, 1.0 / float(np.mean(1.0 / num_draws)))

    def interval(self, name: str, *, level: float = LEVEL) -> tuple[float, float]:
        """A component is its own mean square less a share of another's, and less what is known well."""
        m, df = self.mean, self.df
        if name == "rest":
            return difference_interval(m["rest"], df["rest"], 0.0, 0.0, level=level)
        if name == "replicate":
            return difference_interval(
                m["replicate"], df["replicate"], m["rest"] / self.problems, df["rest"], level=level
            )
        if name == "base_problem":
            return difference_interval(m[name], df[name], m["rest"] / self.harmonic, df["rest"], level=level)
        if name == "problem":
            second = m["base_problem"] / self.draws if df["base_problem"] else m["rest"] / (self.draws * self.harmonic)
            return difference_interval(m[name], df[name], second, df["base_problem"] or df["rest"], level=level)
        known = max(0.0, m["base_problem"] - m["rest"] / self.harmonic) / self.problems  # by (draws-1)(problems-1) df
        low, high = difference_interval(m[name], df[name], m["replicate"] / self.harmonic, df["replicate"], level=level)
        return max(0.0, low - known), max(0.0, high - known)


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def _ratio(total: float, df: float) -> float:
    return float(total / df) if df > 0 else 0.0


def difference_interval(
    first: float, df_first: float, second: float, df_second: float, *, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of E(first) - E(second) of two independent mean squares, cut at 0; `second` may be absent (df 0)."""
    from scipy import stats

    tail = (1 - level) / 2
    g1 = 1 - df_first / float(stats.chi2.isf(tail, df_first))
    h1 = df_first / float(stats.chi2.ppf(tail, df_first)) - 1
    value = first - second
    if not df_second or not second:
        return max(0.0, value - g1 * first), max(0.0, value + h1 * first)
    g2 = 1 - df_second / float(stats.chi2.isf(tail, df_second))
    h2 = df_second / float(stats.chi2.ppf(tail, df_second)) - 1
    upper, lower = float(stats.f.isf(tail, df_first, df_second)), float(stats.f.ppf(tail, df_first, df_second))
    g12 = ((upper - 1) ** 2 - (g1 * upper) ** 2 - h2**2) / upper
    h12 = ((1 - lower) ** 2 - (h1 * lower) ** 2 - g2**2) / lower
    down = (g1 * first) ** 2 + (h2 * second) ** 2 + g12 * first * second
    up = (h1 * first) ** 2 + (g2 * second) ** 2 + h12 * first * second
    return max(0.0, value - math.sqrt(max(down, 0.0))), max(0.0, value + math.sqrt(max(up, 0.0)))
