"""What planning reads of a configuration: from it follow a cell's setting and its replicate, without a list kept by hand.

    >>> from rft.config import LossConfig
    >>> reading = Reading()
    >>> seen = watched(LossConfig(max_tokens=65536, window=256), reading)     # behaves like the configuration
    >>> seen.window
    256
    >>> reading.setting                                                       # what was read, and nothing else
    {'window': 256}

A value that changes results is noted in `setting` by its dotted path when it is read, a seed in `seeds`; names, facts and the
rest are not noted, nor is a field that came later (metadata "added") while it has the value that stands for what was done
before: cells from before keep their setting, as stages keep their keys (rft.stages.stage.added). A list that is a set is
noted in order, each value once. What is known from outside the configuration (the content behind a path) is added with
`note`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar, cast

from rft.config.fields import Role, specs

T = TypeVar("T")


@dataclass
class Reading:
    """What has been read so far."""

    setting: dict[str, Any] = field(default_factory=dict)  # dotted path -> JSON value
    seeds: dict[str, int] = field(default_factory=dict)  # name -> seed
    tops: dict[str, None] = field(default_factory=dict)  # keys of the top level, whether they were noted or not

    def take_in(self, other: Reading) -> None:
        """What was read by another one counts as read here."""
        self.setting.update(other.setting)
        self.seeds.update(other.seeds)
        self.tops.update(other.tops)


class _View:
    """Stands for one configuration object; attributes are read through it."""

    __slots__ = ("_cache", "_prefix", "_reading", "_role", "_target")

    def __init__(self, target: Any, reading: Reading, prefix: str, role: Role | None) -> None:
        self._target, self._reading, self._prefix = target, reading, prefix
        self._role = role
        self._cache: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        target, prefix = self._target, self._prefix
        spec = specs(type(target)).get(name)
        if spec is None:  # a method or property of the class
            return getattr(unnoted(self), name)
        if not prefix:
            self._reading.tops[name] = None
        known = self._cache.get(name)
        if known is not None:
            return known
        value = getattr(target, name)
        kind: Any = type(value)
        role = self._role or spec.role
        if _holds_values(kind):
            inner = None if role is Role.result else role
            value = _views(value, self._reading, f"{prefix}{name}.", inner)
            self._cache[name] = value
        elif role is Role.result:
            if not _stood_before(type(target), name, value):
                noted = sorted(set(value)) if spec.is_set else value
                self._reading.setting[prefix + name] = noted if kind in _ATOMS else plain_value(noted)
        elif role is Role.seed and value is not None:
            self._reading.seeds[name] = value
        return value


_ATOMS = frozenset((str, int, float, bool, type(None)))  # that stand for themselves


@functools.cache
def _holds_values(kind: type) -> bool:
    """Whether objects of a class are parts of a configuration, or mappings of parts: remembered, since most are asked of
    numbers and texts, and often."""
    return issubclass(kind, dict) or dataclasses.is_dataclass(kind)


@functools.cache
def _added(kind: Any) -> dict[str, Any]:
    """Fields of a class that came later, each with the value that stands for what was done before."""
    return {one.name: one.default for one in dataclasses.fields(kind) if "added" in one.metadata}


def _stood_before(kind: Any, name: str, value: Any) -> bool:
    added = _added(kind)
    return name in added and bool(value == added[name])


def _views(value: Any, reading: Reading, prefix: str, role: Role | None) -> Any:
    if isinstance(value, dict):
        return {key: _View(item, reading, f"{prefix}{key}.", role) for key, item in value.items()}
    return _View(value, reading, prefix, role)


def watched(cfg: T, reading: Reading) -> T:
    """The configuration as `reading` sees it."""
    return cast(T, _View(cfg, reading, "", None))


class _Unnoted:
    """Stands for a whole configuration of which nothing is noted but which of its keys were looked at."""

    __slots__ = ("_reading", "_target")

    def __init__(self, target: Any, reading: Reading) -> None:
        self._target, self._reading = target, reading

    def __getattr__(self, name: str) -> Any:
        if name in specs(type(self._target)):
            self._reading.tops[name] = None
            return getattr(self._target, name)
        own = getattr(type(self._target), name)
        return own.__get__(self)  # of a method or property


def unnoted(cfg: T) -> T:
    """The bare configuration, nothing noted: to see whether something is asked for at all, and for estimates."""
    if not isinstance(cfg, _View):
        return cfg
    return cast(T, cast(Any, cfg)._target if cfg._prefix else _Unnoted(cfg._target, cfg._reading))


@contextmanager
def read_apart(cfg: Any) -> Iterator[Reading]:
    """What is read of a watched configuration inside the block. It is not noted for the whole: see `take_in`."""
    reading: Reading = cfg._reading
    before = reading.setting, reading.seeds, reading.tops
    inside = Reading()
    reading.setting, reading.seeds, reading.tops = inside.setting, inside.seeds, inside.tops
    try:
        yield inside
    finally:
        reading.setting, reading.seeds, reading.tops = before


def take_in(cfg: Any, other: Reading) -> None:
    """What was read elsewhere counts as read of this watched configuration."""
    cfg._reading.take_in(other)


def place_of(part: Any) -> tuple[Any, ...] | None:
    """What a watched part of a configuration is: the part itself, and where it stands; None for what is not watched."""
    return (part._target, part._prefix) if isinstance(part, _View) else None


def bare(cfg: Any) -> Any:
    """The object behind a watched configuration, which notes nothing at all."""
    return cfg._target


def note(cfg: Any, path: str, value: Any) -> None:
    """Note what a configuration object rests on besides its fields, at `path` below it."""
    if isinstance(cfg, _View):
        cfg._reading.setting[cfg._prefix + path] = plain_value(value)


def values_of(part: Any, *, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """All fields of a flat configuration class by name, each read."""
    return {name: getattr(part, name) for name in specs(_kind(part)) if name not in leave_out}


def whole(part: Any) -> Any:
    """A flat configuration class by itself, each field read: what a stage takes as a part of its identity."""
    return _kind(part)(**values_of(part))


def _kind(part: Any) -> Any:
    return type(part._target) if isinstance(part, _View) else type(part)


def plain_value(value: Any) -> Any:
    """A JSON value: Enums by their value, tuples as lists, whole floats as they are written by JSON."""
    if isinstance(value, Enum):
        return value.value
    return [plain_value(item) for item in value] if isinstance(value, list | tuple) else value
