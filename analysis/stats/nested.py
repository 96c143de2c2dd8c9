"""Means of nested and crossed draws: units inside strata, problems across all of them, with honest degrees of freedom.

A stratum holds units that are drawn anew from study to study; every unit answers the same problems. With v[s, u, i] the value
of unit u of stratum s on problem i and weights a_s, the estimate is sum_s a_s mean_ui v, and

    variance = sum_s a_s^2 var_u(mean_i v) / U_s  +  var_i(sum_s a_s mean_u v) / I  -  what both of them hold

(the interaction of units and problems; Clark 1973), with Satterthwaite's degrees of freedom (Satterthwaite 1946, Biometrics
Bull. 2, 110-114; for strata of unequal variance Welch 1947). The two intervals of a study are this one formula:

    spread = stratified([draws_DI], weights=[1.0])                       # new bases of this kind: units are draws
    spread = stratified(replicates_by_draw, weights=[1/D] * D, pooled=True)   # these bases: draws are strata
    spread.value, spread.se, spread.df

Leading axes of the arrays are studies: ten thousand simulated ones are one call (tests/analysis_coverage.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUND_OFF = 1e-9  # in points or shares: less is what rounding leaves of contrasts of equal answers
UPPER = 0.9  # at which limit of the units' variance degrees of freedom are taken
TIE = 1e-9  # of the interaction's term: what rounding leaves of units that are equal


@dataclass(frozen=True)
class Spread:
    """A value with its standard error; arrays where the strata had leading axes."""

    value: Any
    se: Any
    df: Any  # of the standard error; those of the problems alone where no stratum has two units
    units: Any  # part of se^2 that more units shrink; 0 where none can be seen
    items: Any  # part of se^2 that more problems alone shrink


@dataclass(frozen=True)
class _Stratum:
    """What is needed of one stratum."""

    weight: float
    num_units: int
    mean: Floats
    item_means: Floats  # [..., I]
    between: Floats  # variance of unit means
    interaction: Floats  # the part of it that comes from problems which units answer differently


@dataclass(frozen=True)
class Terms:
    """The parts of a variance before they are put together; arrays over studies."""

    value: Floats
    items: Floats  # what problems add, what units hold of it included
    num_items: int
    units: Floats  # what units add, what problems hold of it included
    both: Floats  # what both hold: of problems which units answer differently
    floor: Floats  # the units' term, no stratum's smaller than its interaction
    df: Floats  # of the units' term
    upper: Floats  # at how many times the units' term degrees of freedom are taken
    few: float  # degrees of freedom where nothing varies; 0: no stratum has two units


def stratified(strata: Sequence[Floats], *, weights: Sequence[float], pooled: bool = False) -> Spread:
    """The weighted sum of the strata's means (arrays [..., units, problems]).

    `pooled`: one variance between units for all strata, so that strata of one unit take it from the others; without it
    every stratum needs two units. One problem: values whose problems are not at hand.
    """
    return spread_of(terms_of(strata, weights=weights, pooled=pooled))


def terms_of(strata: Sequence[Floats], *, weights: Sequence[float], pooled: bool = False) -> Terms:
    """The parts of the variance of `stratified`."""
    found = [_stratum(values, weight) for values, weight in zip(strata, weights, strict=True)]
    value = _total(s.weight * s.mean for s in found)
    num_items = strata[0].shape[-1]
    item_means = _total(s.weight * s.item_means for s in found)
    items = np.asarray(item_means.var(axis=-1, ddof=1) / num_items) if num_items > 1 else np.zeros_like(value)
    few = float(sum(s.num_units - 1 for s in found))
    nothing = np.zeros_like(items)
    if not few:
        return Terms(value, items, num_items, nothing, nothing, nothing, np.ones_like(items), nothing, 0.0)
    if pooled:
        found = _pooled(found, few)
    assert all(s.num_units > 1 for s in found) or pooled, "a stratum of one unit shows no variance of its own"
    factors = [s.weight**2 / s.num_units for s in found]
    units = _total(f * s.between for f, s in zip(factors, found, strict=True))
    both = _total(f * s.interaction for f, s in zip(factors, found, strict=True))
    floored = [f * np.maximum(s.between, s.interaction) for f, s in zip(factors, found, strict=True)]
    floor, df = _total(floored), np.full_like(units, few)
    if not pooled:  # Satterthwaite's, of the units' term alone
        bottom = _total(part**2 / (s.num_units - 1) for part, s in zip(floored, found, strict=True))
        df = np.where(bottom > 0, floor**2 / np.where(bottom > 0, bottom, 1.0), few)
    return Terms(value, items, num_items, units, both, floor, df, upper_ratio(df), few)


def _stratum(values: Floats, weight: float) -> _Stratum:
    num_units, num_items = values.shape[-2:]
    unit_means, item_means = np.asarray(values.mean(axis=-1)), np.asarray(values.mean(axis=-2))
    mean = np.asarray(unit_means.mean(axis=-1))
    between = interaction = np.zeros_like(mean)
    if num_units > 1:
        between = np.asarray(unit_means.var(axis=-1, ddof=1))
        if num_items > 1:  # sum of squares of the table, less those of its margins
            rest = ((values - mean[..., None, None]) ** 2).sum((-2, -1))
            rest = rest - num_items * (num_units - 1) * between
            rest = rest - num_units * ((item_means - mean[..., None]) ** 2).sum(-1)
            interaction = np.maximum(rest, 0.0) / ((num_units - 1) * (num_items - 1)) / num_items
    return _Stratum(weight, num_units, mean, item_means, between, interaction)


def _total(parts: Iterable[Any]) -> Floats:
    return np.asarray(sum(parts), float)


def _pooled(strata: Sequence[_Stratum], df: float) -> list[_Stratum]:
    between = _total((s.num_units - 1) * s.between for s in strata) / df
    interaction = _total((s.num_units - 1) * s.interaction for s in strata) / df
    return [_Stratum(s.weight, s.num_units, s.mean, s.item_means, between, interaction) for s in strata]


def upper_ratio(df: Any) -> Floats:
    """The upper limit of a variance over what was found of it: the true one is smaller in UPPER of all studies."""
    from scipy import special

    return np.asarray(df / special.chdtri(df, UPPER))


def spread_of(terms: Terms) -> Spread:
    """The terms put together.

    In expectation the units' term is at least the interaction's. Where it comes out smaller by chance, degrees of freedom
    are taken at the interaction's size: else a lucky draw of close units would be rewarded twice, with a small error and
    with many degrees of freedom (simulated families of true zeros then say too often that there is a difference). For the
    same reason they are taken where the units' variance is at its upper limit of 90 %, not where it was found. Where
    units are equal by chance though their problems differ, the interaction's term stands for theirs.
    """
    items, both = terms.items, terms.both
    if not terms.few:
        return Spread(terms.value, np.sqrt(items), np.full_like(items, max(terms.num_items - 1.0, 0)), both, items)
    units = np.where(terms.units <= TIE * both, both, terms.units)
    only_items = np.maximum(items - both, 0.0)
    variance = units + only_items
    variance = np.where(np.sqrt(variance) < ROUND_OFF, 0.0, variance)
    top = terms.upper * np.maximum(terms.floor, units)
    bottom = (terms.upper * terms.floor) ** 2 / terms.df
    if terms.num_items > 1:
        bottom = bottom + only_items**2 / (terms.num_items - 1)
    df = np.where(variance > 0, (top + only_items) ** 2 / np.where(bottom > 0, bottom, 1.0), terms.few)
    return Spread(terms.value, np.sqrt(variance), np.where(bottom > 0, df, terms.few), units, only_items)
