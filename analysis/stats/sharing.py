"""What drawn units share: the seeds by which units of several draws are alike, and those that all of them have.

    ways = ways_of([{"data_seed": {0}}, {"data_seed": {1}}, {"data_seed": {0}}, {"data_seed": {1}}])    # [(0, 1, 0, 1)]
    one_value([{"corpus_seed": {7}}, {"corpus_seed": {7}}])      # ('corpus_seed',): nothing tells what another would do
    alone_words(('corpus_seed',))                                # 'one corpus'

A unit is a replicate of a draw (rows that share a varying seed within one draw are one unit already). Replicates of several
draws that have the same seed share the choice and order of their training data; draws of the same corpus seed share their
documents. So such seeds are CROSSED with the draws, and units that share one are not independent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set

Seeds = Mapping[str, Set[int]]  # of a unit: by the name of a seed its values; several where a unit is several rows
Way = tuple[int, ...]  # the class of each unit: units of one class share a seed

WORDS = {
    "pretrain_seed": "one pretraining seed",
    "corpus_seed": "one corpus",
    "data_seed": "one drawing of the training data",
    "train_seed": "one seed of training",
    "sample_seed": "one seed of sampling",
}


def names_of(units: Sequence[Seeds]) -> list[str]:
    """Names of the seeds that every unit has."""
    return sorted(set.intersection(*(set(unit) for unit in units))) if units else []


def ways_of(units: Sequence[Seeds]) -> list[Way]:
    """The partitions of units into those that share a value of a seed, one for each seed that parts them otherwise.

    Without those that say nothing: all units alike, or every unit by itself.
    """
    ways = dict.fromkeys(_classes([unit[name] for unit in units]) for name in names_of(units))
    return [way for way in ways if 1 < len(set(way)) < len(units)]


def _classes(values: Sequence[Set[int]]) -> Way:
    """Units are of one class where a chain of shared values links them; classes by first appearance."""
    groups: list[set[int]] = []
    for own in values:
        linked = [group for group in groups if group & own]
        groups = [group for group in groups if not group & own] + [set(own).union(*linked)]
    found = [next(place for place, group in enumerate(groups) if group & own) for own in values]
    order = {place: number for number, place in enumerate(dict.fromkeys(found))}
    return tuple(order[place] for place in found)


def one_value(units: Sequence[Seeds]) -> tuple[str, ...]:
    """Names of the seeds of which all units have one and the same value."""
    return tuple(name for name in names_of(units) if len(set().union(*(unit[name] for unit in units))) == 1)


def inside(way: Way, other: Way) -> bool:
    """Whether every class of one partition lies within a class of another."""
    return len(set(zip(way, other, strict=True))) == len(set(way))


def alone_words(names: Collection[str]) -> str:
    """'one corpus and one seed of training'; '' for none."""
    told = [words for name, words in WORDS.items() if name in names]
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else "".join(told)
