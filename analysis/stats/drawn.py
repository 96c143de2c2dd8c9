"""How sure a mean over drawn bases is: for these bases as they are, and for new ones of their kind.

    units = Units.of(bases, seeds)             # bases: per configuration and draw the values [replicates, problems]
    drawn_bases(bases, units).se               # replicates and problems drawn anew
    new_bases(bases, units).se                 # draws too; None where there is one

Replicates lie within draws, unless `seeds` say that draws share them: then the two are crossed. So are pretraining with
corpus seeds, and the draws of several configurations that have the same seeds. Leading axes of the arrays are studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats.crossed import crossed
from analysis.stats.nested import Floats, Spread, Terms, spread_of, terms_of
from analysis.stats.sharing import Seeds, Way, one_value, ways_of

Draws = Sequence[Floats]  # of one base configuration: per draw its replicates [replicates, problems]
SeedsOfDraws = Sequence[Sequence[Seeds]]  # of one base configuration: per draw the seeds of each replicate


@dataclass(frozen=True)
class Units:
    """All replicates of all draws in a row, with what each belongs to."""

    base: Way
    draw: Way
    weights: tuple[float, ...]
    seeds: tuple[Seeds, ...]  # none: no seed is shared
    several_draws: bool  # of every configuration

    @staticmethod
    def of(bases: Sequence[Draws], seeds: Sequence[SeedsOfDraws] | None) -> Units:
        """Configurations count alike, and so do the draws of one and the replicates of a draw."""
        places = [
            (b, d, unit) for b, draws in enumerate(bases) for d, draw in enumerate(draws) for unit in range(_size(draw))
        ]
        drawn = {place: number for number, place in enumerate(dict.fromkeys((b, d) for b, d, _ in places))}
        return Units(
            tuple(b for b, _, _ in places),
            tuple(drawn[b, d] for b, d, _ in places),
            tuple(1 / (len(bases) * len(bases[b]) * _size(bases[b][d])) for b, d, _ in places),
            () if seeds is None else tuple(seeds[b][d][unit] for b, d, unit in places),
            all(len(draws) > 1 for draws in bases),
        )

    @property
    def alone(self) -> tuple[str, ...]:
        """Seeds of which all have one value. Bases of one draw each are told apart by more than their seed."""
        return tuple(name for name in one_value(self.seeds) if self.several_draws or name != "pretrain_seed")


def _size(draw: Floats) -> int:
    return int(draw.shape[-2])


def drawn_bases(bases: Sequence[Draws], units: Units) -> Spread:
    """Replicates are drawn anew, and draws are strata."""
    every = [draw for draws in bases for draw in draws]
    shares = [1 / (len(bases) * len(draws)) for draws in bases for _ in draws]
    plain = terms_of(every, weights=shares, pooled=True)
    return _shared(bases, units, strata=units.draw, home=None, plain=plain) if plain.few else spread_of(plain)


def new_bases(bases: Sequence[Draws], units: Units) -> Spread | None:
    """Over draws where every configuration has two, else over configurations where there are two."""
    if units.several_draws:
        means = [np.stack([draw.mean(axis=-2) for draw in draws], axis=-2) for draws in bases]
        plain = terms_of(means, weights=[1 / len(bases)] * len(bases))
        return _shared(bases, units, strata=units.base, home=units.draw, plain=plain)
    return over_bases(bases, units) if len(bases) > 1 else None


def over_bases(bases: Sequence[Draws], units: Units) -> Spread:
    """Bases are drawn anew; a base's own draw is inside."""
    means = [np.mean([draw.mean(axis=-2) for draw in draws], axis=0) for draws in bases]
    plain = terms_of([np.stack(means, axis=-2)], weights=[1.0])
    return _shared(bases, units, strata=(0,) * len(units.base), home=units.base, plain=plain)


def _shared(bases: Sequence[Draws], units: Units, *, strata: Way, home: Way | None, plain: Terms) -> Spread:
    """With what units share; where they share nothing as the nested formula has it."""
    ways = ways_of(units.seeds)
    if not ways:
        return spread_of(plain)
    values = np.concatenate([draw for draws in bases for draw in draws], axis=-2)
    return crossed(values, weights=units.weights, strata=strata, ways=ways, home=home, plain=plain)
