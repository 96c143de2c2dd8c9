"""Replicates of a cell, planned once: cells of one base that differ in their seeds alone have the same stages, with other
seeds in them.

    replicates = Replicates()                 # of one configuration but for its seeds
    replicates.planned(cfg, alone=plan_it, copies=Copies())

The first cells of a kind are planned as any cell is. Then the kind is planned once more with placeholders in place of its
seeds; a later cell is that plan, written out with its own seeds. A plan with placeholders is used only where it gives back
each cell that was planned the long way, in every field of every stage. Where it does not (a method reckons with seeds, a
label names one), all cells are planned the long way, and so are those of a user's own method. Cells are of one kind where the
seeds of their base are the same and the others are equal, zero and absent at the same names, since planning may ask for that.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, Generic, TypeVar, cast

from rft.config import SEEDS, StudyConfig
from rft.stages.stage import Stage, Twins

log = logging.getLogger("rft")

T = TypeVar("T")
Values = tuple[Any, ...]  # of seeds

OF_BASES = ("pretrain_seed", "corpus_seed")  # names of random streams are made of them, by a digest
VARIED = tuple(name for name in SEEDS if name not in OF_BASES)
PLANNED_ALONE = 8  # cells of a kind before it is planned with placeholders: less than that is not worth it
PLACEHOLDERS = tuple([1_073_700_001 + 1_009 * place for place in range(len(VARIED))])  # likely to be no other value
_THEMSELVES = {one: one for one in PLACEHOLDERS}
_bases_of: Callable[[StudyConfig], Values] = attrgetter(*OF_BASES)
_varied_of: Callable[[StudyConfig], Values] = attrgetter(*VARIED)


@dataclass
class _Kind(Generic[T]):
    """Cells that may be written out from one plan."""

    alone: dict[Values, T] = field(default_factory=dict)  # planned the long way, by their seeds
    template: T | None = None  # the plan with placeholders, once there is one that may be used
    is_settled: bool = False  # whether there is one is known


class Replicates(Generic[T]):
    """See the module. `T`: what planning gives, a frozen dataclass."""

    def __init__(self) -> None:
        self._kinds: dict[Values, _Kind[T]] = {}

    def planned(self, cfg: StudyConfig, *, alone: Callable[[StudyConfig], T], copies: Copies) -> T:
        """The plan of a cell: by `alone`, or written out. `copies`: of what plans of a sweep have in common."""
        seeds, bases = _varied_of(cfg), _bases_of(cfg)
        pattern = _pattern(seeds, bases)
        kind = self._kinds.get((bases, pattern))
        if kind is None:
            kind = self._kinds[bases, pattern] = _Kind()
        if kind.template is not None:
            return copies.of(kind.template, _replacing(pattern, seeds))
        planned = alone(cfg)
        if not kind.is_settled:
            kind.alone[seeds] = planned
            if len(kind.alone) >= PLANNED_ALONE:
                kind.template, kind.is_settled = _template(cfg, pattern, kind.alone, alone=alone, copies=copies), True
                kind.alone.clear()
        return planned


def _pattern(seeds: Values, bases: Values) -> Values:
    """Which seeds are absent (None), zero (0), one of the base's (a negative number), and equal (one number)."""
    of_bases = {one: -1 - place for place, one in enumerate(bases)}
    own: dict[int, int] = {}
    return tuple([(of_bases.get(one) or own.setdefault(one, len(own) + 1)) if one else one for one in seeds])


def _replacing(pattern: Values, seeds: Values) -> dict[int, int]:
    """The seed by its placeholder; one that stands for none is itself, which some other value may be."""
    stood_for = {
        PLACEHOLDERS[place - 1]: seed for place, seed in zip(pattern, seeds, strict=True) if place and place > 0
    }
    return {**_THEMSELVES, **stood_for}


def _template(
    cfg: StudyConfig, pattern: Values, known: Mapping[Values, T], *, alone: Callable[[StudyConfig], T], copies: Copies
) -> T | None:
    """The plan with placeholders; None where it does not give back what is known, or fails where cells did not."""
    marks = {name: PLACEHOLDERS[place - 1] for name, place in zip(VARIED, pattern, strict=True) if place and place > 0}
    try:
        template = alone(cfg.with_values(**marks))
        again = ((copies.of(template, _replacing(pattern, seeds)), planned) for seeds, planned in known.items())
        return template if all(alike(one, planned, seen=set()) for one, planned in again) else None
    except Exception as error:  # a placeholder that is no seed to the method, a plan deeper than copies can follow
        log.debug("cells are planned one by one: %r", error, exc_info=True)
        return None


def alike(one: Any, other: Any, *, seen: set[tuple[int, int]]) -> bool:
    """Whether two plans are equal in every field, also in those that make no identity. `seen`: pairs known to be, by id."""
    if one is other or (id(one), id(other)) in seen:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        same = len(one) == len(other) and all(alike(a, b, seen=seen) for a, b in zip(one, other, strict=True))
    elif isinstance(one, dict):
        same = list(one) == list(other) and all(alike(one[name], other[name], seen=seen) for name in one)
    elif dataclasses.is_dataclass(one):
        names = [each.name for each in dataclasses.fields(one)]
        same = all(alike(getattr(one, name), getattr(other, name), seen=seen) for name in names)
    else:
        return bool(one == other)
    if same:
        seen.add((id(one), id(other)))
    return same


class _Part:
    """A value that holds placeholders, and its copies so far, by the seeds in them."""

    __slots__ = ("_copied", "_copies", "_seeds_in", "held")

    def __init__(self, held: tuple[int, ...], copied: Callable[[Mapping[int, int]], Any]) -> None:
        """`held`: its placeholders; `copied`: a copy of it, from the seeds by placeholder."""
        self.held = held
        self._seeds_in: Callable[[Mapping[int, int]], Any] = itemgetter(*held)
        self._copied = copied
        self._copies: dict[Any, Any] = {}

    def of(self, seeds: Mapping[int, int]) -> Any:
        """The copy with these seeds."""
        key = self._seeds_in(seeds)
        found = self._copies.get(key)
        if found is None:
            found = self._copies[key] = self._copied(seeds)
        return found


class Copies:
    """Copies of stages, and of what holds some, with seeds in place of placeholders. What two plans share stays shared."""

    def __init__(self) -> None:
        self._parts: dict[int, _Part | None] = {}  # by id; None for what holds no placeholder
        self._kept: list[Any] = []  # whose ids these are

    def of(self, value: T, seeds: Mapping[int, int]) -> T:
        """The value with these seeds, given by placeholder; itself where it holds none."""
        part = self._part(value)
        return value if part is None else cast(T, part.of(seeds))

    def _part(self, value: Any) -> _Part | None:
        if type(value) is int:
            return _INTEGERS.get(value)
        place = id(value)
        if place not in self._parts:
            self._kept.append(value)
            self._parts[place] = self._looked_at(value)
        return self._parts[place]

    def _looked_at(self, value: Any) -> _Part | None:
        if isinstance(value, tuple | dict):
            named = value if isinstance(value, dict) else dict(enumerate(value))
        elif dataclasses.is_dataclass(value):
            named = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        else:
            return None
        parts = [(name, part) for name, one in named.items() if (part := self._part(one)) is not None]
        if not parts:
            return None
        held = tuple(sorted({one for _, part in parts for one in part.held}))
        copied = _copier(value, named, [name for name, _ in parts])
        return _Part(held, lambda seeds: copied({name: part.of(seeds) for name, part in parts}))


_INTEGERS = {one: _Part((one,), itemgetter(one)) for one in PLACEHOLDERS}


def _copier(value: Any, named: Mapping[Any, Any], changing: list[Any]) -> Callable[[dict[Any, Any]], Any]:
    """What copies a value with new values of some of its fields or entries."""
    kind: Any = type(value)
    if isinstance(value, Stage):
        return Twins(value, changing).of
    if isinstance(value, dict):
        return lambda new: {**named, **new}
    if isinstance(value, tuple):
        return lambda new: tuple({**named, **new}.values())

    def twin(new: dict[Any, Any]) -> Any:
        made = object.__new__(kind)
        for name, one in named.items():
            object.__setattr__(made, name, new.get(name, one))
        return made

    return twin
