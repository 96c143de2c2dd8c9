"""Means of crossed draws: units that share seeds with units of other draws, so that they are not independent of them.

Value of unit u: mu_stratum + one effect for each of its classes (its draw, its seeds, its pretraining or corpus seed) + its
own. The variance of the weighted mean is sum_k a_k sigma_k^2, where a_k = sum over the classes of (sum of their weights)^2.

    spread = crossed(values_UI, weights=[1/15] * 15, strata=[0] * 15, ways=[seed_of_u], home=draw_of_u, plain=terms)

`plain` is what the nested formula says (analysis.stats.nested), blind to what is shared; its units are the classes of `home`.
Components are estimated without bias by quadratic forms (MINQUE with equal priors, Rao 1971, J. Multivar. Anal. 1, 445-456):
the mean squares of analysis of variance where the layout is balanced, so that of two crossed ways the variance is
(MS_1 + MS_2 - MS_12) / N, as in two-way clustering (Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29, 238-249), but
with Satterthwaite's degrees of freedom: three values of a shared seed have two. It is never less than by one way alone
(MacKinnon, Nielsen & Webb 2021, J. Econometrics). A way whose component comes out clearly at 0 gives no degrees of freedom
away: seeds that make no difference leave the nested interval. Problems are crossed with all units, as in the nested formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from analysis.stats.nested import Floats, Spread, Terms, spread_of
from analysis.stats.sharing import Way, inside

SEEN, SEEN_OF_TWO = 0.0, -0.6  # a component counts above so many of its standard deviations were it 0; of two classes


@dataclass(frozen=True)
class _Layout:
    """What is known before any value."""

    weights: tuple[float, ...]
    strata: Way  # units of one stratum have a mean of their own


@dataclass(frozen=True)
class _Forms:
    """Quadratic forms of one model: some ways and the units' own part."""

    components: Floats  # [K, U, U]: y' A_k y estimates sigma_k^2
    shares: Floats  # [K]: a_k
    variance: Floats  # [U, U]: of the weighted mean
    traces: Floats  # [K, K]: of the variance form; its own variance is twice sigma' T sigma
    own_traces: Floats  # [K, K, K]: of each component's form

    def estimates(self, means: Floats) -> Floats:
        """Components [..., K], not cut at 0."""
        return np.einsum("...u,kuv,...v->...k", means, self.components, means, optimize=True)

    def df(self, found: Floats) -> Floats:
        """Satterthwaite's, of the variance of the mean."""
        clean = np.maximum(found, 0.0)
        bottom = np.einsum("...k,kl,...l->...", clean, self.traces, clean)
        return np.where(bottom > 0, (clean @ self.shares) ** 2 / np.where(bottom > 0, bottom, 1.0), 1.0)

    def seen(self, found: Floats, place: int, *, num_classes: int) -> Floats:
        """Whether a component counts: above 0; of two classes, which show little, also somewhat below."""
        clean = np.maximum(found, 0.0)
        clean[..., place] = 0.0
        variance = 2 * np.einsum("...k,kl,...l->...", clean, self.own_traces[place], clean)
        sd = np.sqrt(np.maximum(variance, 0.0))  # rounding may leave it below 0 where all values are equal
        return np.asarray(found[..., place] > (SEEN_OF_TWO if num_classes == 2 else SEEN) * sd)


def _indicator(way: Sequence[int]) -> Floats:
    return np.asarray(np.eye(max(way) + 1)[list(way)])


@lru_cache(maxsize=256)
def _forms(layout: _Layout, ways: tuple[Way, ...]) -> _Forms:
    w, size = np.array(layout.weights), len(layout.weights)
    covers = np.array([*((z := _indicator(way)) @ z.T for way in ways), np.eye(size)])
    inverse, design = np.linalg.inv(covers.sum(axis=0)), _indicator(layout.strata)
    inner = inverse @ design
    rest = inverse - inner @ np.linalg.solve(design.T @ inner, inner.T)
    raw = rest @ covers @ rest
    components = np.einsum("kl,luv->kuv", np.linalg.pinv(np.einsum("kuv,lvu->kl", raw, covers)), raw)
    shares = np.einsum("u,kuv,v->k", w, covers, w)
    variance = np.einsum("k,kuv->uv", shares, components)
    return _Forms(
        components, shares, variance, _traces(variance, covers), np.array([_traces(a, covers) for a in components])
    )


def _traces(form: Floats, covers: Floats) -> Floats:
    products = form @ covers
    return np.asarray(np.einsum("kuv,lvu->kl", products, products))


@dataclass(frozen=True)
class _Found:
    """The units' term by one model."""

    units: Floats
    both: Floats  # the part that problems hold too
    df: Floats


def _apart(means: Floats) -> Floats:
    """Less their mean, of which the forms are free: equal values would leave rounding of the values' own size else."""
    return means - means.mean(axis=-1, keepdims=True)


def _by_model(values: Floats, layout: _Layout, ways: tuple[Way, ...]) -> _Found:
    forms, num_items = _forms(layout, ways), values.shape[-1]
    means = values.mean(axis=-1)
    apart = _apart(means)
    units = np.einsum("...u,uv,...v->...", apart, forms.variance, apart, optimize=True)
    both = np.zeros_like(units)
    if num_items > 1:
        rest = values - means[..., None]
        both = (rest * (forms.variance @ rest)).sum((-2, -1)) / ((num_items - 1) * num_items)
    return _Found(np.maximum(units, 0.0), np.maximum(both, 0.0), forms.df(forms.estimates(apart)))


def crossed(
    values: Floats,
    *,
    weights: Sequence[float],
    strata: Sequence[int],
    ways: Sequence[Way],
    home: Way | None,
    plain: Terms,
) -> Spread:
    """The weighted mean of units (an array [..., units, problems]) that share classes of some ways.

    `home`: the class of each unit that `plain` takes for its units; None where those are the units themselves.
    """
    layout = _Layout(tuple(weights), tuple(strata))
    every = tuple(way for way in ways if _tells(way, layout.strata, home)) + (() if home is None else (home,))
    if not every or every == (home,):
        return spread_of(plain)
    single = {way: _by_model(values, layout, (way,)) for way in every if way != home}
    blind = _Found(plain.units, plain.both, plain.df)
    alone = [blind, *single.values()]
    seen = _seen(values.mean(axis=-1), layout, every)
    number = sum(seen[way].astype(int) << place for place, way in enumerate(every))
    units, both, df = _largest(alone)
    crossing = sum(seen[way].astype(int) for way in single)  # seen ways that `plain` does not know
    as_plain = np.asarray(crossing == 0)
    df = np.where(as_plain, blind.df, df)
    for mask in np.unique(number):
        subset = tuple(way for place, way in enumerate(every) if mask >> place & 1)
        if len(subset) > 1:
            model, here = _by_model(values, layout, subset), number == mask
            df = np.where(here, model.df, df)
            larger = here & (model.units > units)
            units, both = np.where(larger, model.units, units), np.where(larger, model.both, both)
    upper = np.where(
        as_plain, plain.upper, 1.0
    )  # few classes and several components make degrees of freedom few enough
    return spread_of(replace(plain, units=units, both=both, floor=np.maximum(units, both), df=df, upper=upper))


def _tells(way: Way, strata: Way, home: Way | None) -> bool:
    """Whether a way tells more than the units of `plain` and the means of the strata do."""
    return not inside(strata, way) and (home is None or not inside(way, home))


def _seen(means: Floats, layout: _Layout, every: tuple[Way, ...]) -> dict[Way, Floats]:
    forms = _forms(layout, every)
    found = forms.estimates(_apart(means))
    return {way: forms.seen(found, place, num_classes=len(set(way))) for place, way in enumerate(every)}


def _largest(found: Sequence[_Found]) -> tuple[Floats, Floats, Floats]:
    place = np.argmax([one.units for one in found], axis=0)
    return tuple(  # type: ignore[return-value]
        np.take_along_axis(np.array([getattr(one, name) for one in found]), place[None], axis=0)[0]
        for name in ("units", "both", "df")
    )
