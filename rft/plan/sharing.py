"""Steps of planning that cells of a sweep share: done once for each combination of what they read, and recalled for the rest.

    class Training(Questions):
        @shared
        def base(self, model=None) -> Weights: ...       # cells of one model and one pretraining seed: one object

    memo = Memo()
    for cfg in jobs:
        plan(cfg, sources, memo=memo)

Nothing says what a step depends on: it is seen. While a step runs, the keys of the configuration's top level that it looks at
are noted (rft.config.reading), with what it adds to the cell's setting. A later call with the same arguments recalls the
result where all these keys have the same values: a number or text by its value, a part (`data`, `train`) by being the same
object. What the step read then counts as read by the later cell too, so that its setting is that of a plan made alone. A step
may be a method of the planner or a function that is given one first; it must look at nothing but that and its arguments.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

from rft.config.reading import Reading, bare, place_of, read_apart, take_in
from rft.infra.digest import digest
from rft.stages.identity import NotPlainError, digest_of, text_of

P = ParamSpec("P")
R = TypeVar("R")

_ATOMS = frozenset((str, int, float, bool, type(None)))


class Plans(Protocol):
    """What steps of planning are done by or for."""

    cfg: Any
    sources: Any
    memo: Memo | None


@dataclass(frozen=True)
class Found(Generic[R]):
    """A step's result, and what it read."""

    value: R
    reading: Reading


@dataclass(frozen=True)
class _Shape:
    """The keys that a step reads in some of its calls, and what is known of those: by arguments and values of the keys."""

    tokens: Callable[[Mapping[str, Hashable]], tuple[Hashable, ...]]  # of the keys, from those of a whole configuration
    known: dict[tuple[Hashable, ...], Found[Any]]


class Memo:
    """What planning one sweep has found. It holds on to all of it: let go of it when everything is planned."""

    def __init__(self) -> None:
        self._shapes: dict[Any, dict[tuple[str, ...], _Shape]] = {}  # by step
        self._kept: dict[int, Any] = {}  # objects that stand for themselves, so that their ids stay theirs
        self._one_of: dict[Hashable, Any] = {}
        self._once: dict[Hashable, Any] = {}
        # A configuration, and what stands for each of its keys
        self._latest: tuple[Any, dict[str, Hashable]] = (None, {})

    def found(self, step: Callable[..., R], p: Plans, *args: Any, **said: Any) -> Found[R]:
        """The step's result with what it read: known, or found now."""
        shapes = self._shapes.setdefault(step, {})
        asked = (id(p.sources), *map(_token, args), *said, *map(_token, said.values()))
        cfg = bare(p.cfg)
        tokens = self._tokens_of(cfg)
        for shape in shapes.values():
            known = shape.known.get((asked, shape.tokens(tokens)))
            if known is not None:
                return known
        with read_apart(p.cfg) as reading:
            value = step(p, *args, **said)
        names = tuple(sorted(reading.tops))
        if names not in shapes:
            shapes[names] = _Shape(_getter(names), {})
        self._keep(p.sources, *args, *said.values())
        found = Found(value, self._shared_reading(reading))
        shapes[names].known[asked, shapes[names].tokens(tokens)] = found
        return found

    def once(self, what: str, parts: tuple[Any, ...], make: Callable[[], R]) -> R:
        """What `make` gives, once for the same parts: each an atom, or by being the same object."""
        key = (what, _tokens(parts))
        if key not in self._once:
            self._keep(*parts)
            self._once[key] = make()
        value: R = self._once[key]
        return value

    def key(self, keys: list[str], reading: Reading) -> str:
        """The digest of [keys, setting, seeds]."""
        try:
            texts = [text_of(keys), self._text(reading.setting), self._text(reading.seeds)]
        except NotPlainError:
            return digest([keys, reading.setting, reading.seeds])
        return digest_of(f"[{','.join(texts)}]")

    def _tokens_of(self, cfg: Any) -> dict[str, Hashable]:
        """By key of the top level: found once for all steps of a cell."""
        if self._latest[0] is not cfg:
            self._kept.update((id(value), value) for value in vars(cfg).values() if type(value) not in _ATOMS)
            self._latest = (cfg, dict(zip(vars(cfg), _tokens(tuple(vars(cfg).values())), strict=True)))
        return self._latest[1]

    def _text(self, values: dict[str, Any]) -> str:
        return self.once("text", (values,), lambda: text_of(values))

    def _keep(self, *objects: Any) -> None:
        for one in objects:
            if type(one) is tuple:
                self._keep(*one)
            elif type(one) not in _ATOMS:
                place = place_of(one)
                kept = one if place is None else place[0]
                self._kept[id(kept)] = kept

    def _shared_reading(self, reading: Reading) -> Reading:
        """Equal settings, seeds and sets of keys as one object each: there are few, and many steps."""
        return Reading(
            self._one_of.setdefault(_content(reading.setting), reading.setting),
            self._one_of.setdefault(("seeds", *reading.seeds.items()), reading.seeds),
            self._one_of.setdefault(("tops", *reading.tops), reading.tops),
        )


def _content(values: dict[str, Any]) -> Hashable:
    """The values with their types, as `_atom` has it: of a hundred values, whose pairs would be a hundred objects."""
    plain = [repr(one) if type(one) is list else one for one in values.values()]
    return (tuple(values), tuple(plain), tuple(map(type, values.values())))


def _getter(names: tuple[str, ...]) -> Callable[[Mapping[str, Hashable]], tuple[Hashable, ...]]:
    if len(names) > 1:
        return itemgetter(*names)  # of one name alone it gives no tuple
    return lambda tokens: tuple([tokens[name] for name in names])


def _atom(value: Any) -> Hashable:
    """The value with its type: to a dictionary True, 1 and 1.0 are one key, to a study they are not."""
    return value if type(value) is str else (type(value), value)


def _tokens(values: tuple[Any, ...]) -> tuple[Hashable, ...]:
    return tuple([_atom(value) if type(value) in _ATOMS else id(value) for value in values])


def _token(value: Any) -> Hashable:
    """What stands for an argument: an atom for itself, a part of the configuration for its place, all else by identity."""
    if type(value) in _ATOMS:
        return _atom(value)
    if type(value) is tuple:
        return tuple(map(_token, value))
    place = place_of(value)
    return id(value) if place is None else (id(place[0]), place[1])


def shared(step: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Marks a step that is recalled where its planner has a memo."""

    @functools.wraps(step)
    def recalled(p: Any, *args: P.args, **said: P.kwargs) -> R:
        memo: Memo | None = p.memo
        if memo is None:
            return step(p, *args, **said)
        found = memo.found(step, p, *args, **said)
        take_in(p.cfg, found.reading)
        return found.value

    return cast("Callable[Concatenate[Any, P], R]", recalled)
