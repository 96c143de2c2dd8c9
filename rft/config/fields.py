"""What a configuration field is, declared beside it: its role, and for numbers the range that is allowed.

    k: Annotated[int, fields.result("[1, inf)", "samples a question and donor")]     # in a class of rft.config

    >>> from rft.config import LossConfig
    >>> [(leaf.path, leaf.value, leaf.spec.role.value) for leaf in leaves(LossConfig(max_tokens=65536, window=1))]
    [('max_tokens', 65536, 'result'), ('window', 1, 'result'), ('dtype', 'float32', 'result')]
    >>> range_problems(LossConfig(max_tokens=65536, window=1))
    ['window=1 is outside [2, inf)']

A field without a declaration counts as changing results. So a forgotten declaration can split one setting in two, but can
never pool two settings into one.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Role(Enum):
    """What a field has to do with results."""

    result = "result"  # changes results: part of the setting
    seed = "seed"  # a seed of random choices: part of the replicate
    name = "name"  # a name for people, without effect on results
    fact = "fact"  # what is known of a model or expected of data, for estimates and figures
    place = "place"  # where content lies; the content is what counts
    run = "run"  # how the work is done and kept: speed, storage, tracking


@dataclass(frozen=True)
class Range:
    """An interval of numbers, ends at infinity excluded."""

    text: str  # '(0, 1]'
    low: float
    high: float
    holds_low: bool
    holds_high: bool

    @staticmethod
    def parse(text: str) -> Range:
        """From '[1, inf)'. Raises ValueError for anything else."""
        match = re.fullmatch(r"([\[(])(\S+), (\S+)([\])])", text)
        if match is None:
            raise ValueError(f"range {text!r} is not of the form '(0, 1]'")
        return Range(text, float(match[2]), float(match[3]), match[1] == "[", match[4] == "]")

    def holds(self, value: float) -> bool:
        """Whether a finite number lies inside."""
        above = value >= self.low if self.holds_low else value > self.low
        below = value <= self.high if self.holds_high else value < self.high
        return math.isfinite(value) and above and below


@dataclass(frozen=True)
class Spec:
    """The declaration of one field."""

    role: Role = Role.result
    range: Range | None = None  # of a number, or of each number of a list
    hint: str = ""  # what the number is, for the message
    filled: bool = False  # by the program: nothing for users to set
    is_set: bool = False  # of a list: its order and repeats mean nothing
    of_sweep: bool | None = None  # it has one value in a sweep; None: as its role has it

    @property
    def holds_for_sweep(self) -> bool:
        """Whether all cells of a sweep must have one value of it: how the work is done, unless declared otherwise."""
        if self.filled:
            return False
        return self.role is Role.run if self.of_sweep is None else self.of_sweep


def declared(
    role: Role,
    allowed: str | None = None,
    hint: str = "",
    *,
    filled: bool = False,
    is_set: bool = False,
    of_sweep: bool | None = None,
) -> Spec:
    """A field's declaration."""
    return Spec(role, None if allowed is None else Range.parse(allowed), hint, filled, is_set, of_sweep)


result = functools.partial(declared, Role.result)
seed = functools.partial(
    declared, Role.seed, f"({-(2**63)}, {2**64})", "what the random generator of torch takes as a seed"
)
name = functools.partial(declared, Role.name)
fact = functools.partial(declared, Role.fact)
place = functools.partial(declared, Role.place)
run = functools.partial(declared, Role.run)


_specs: dict[Any, Mapping[str, Spec]] = {}  # by class


def specs(kind: Any) -> Mapping[str, Spec]:
    """The declarations of a configuration class by field name."""
    if kind not in _specs:
        hints = typing.get_type_hints(kind, include_extras=True)
        _specs[kind] = {field.name: _spec(hints[field.name]) for field in dataclasses.fields(kind)}
    return _specs[kind]


def _spec(hint: Any) -> Spec:
    return next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Spec)), Spec())


@dataclass(frozen=True)
class Leaf:
    """One value of a configuration."""

    path: str  # 'train.lr'
    value: Any
    spec: Spec


def leaves(value: Any, *, prefix: str = "", role: Role | None = None) -> Iterator[Leaf]:
    """Every value below a configuration; a part that is null is one leaf. A role declared for a part holds for all below it.

    Mappings of parts (`donors`) are gone through by name.
    """
    for field in specs(type(value)):
        yield from leaves_at(value, field, prefix=prefix, role=role)


def leaves_at(value: Any, field: str, *, prefix: str = "", role: Role | None = None) -> Iterator[Leaf]:
    """Those of one field of a configuration."""
    item, spec = getattr(value, field), specs(type(value))[field]
    own = role or (spec.role if spec.role is not Role.result else None)
    if isinstance(item, dict):
        for key, part in item.items():
            yield from leaves(part, prefix=f"{prefix}{field}.{key}.", role=own)
    elif dataclasses.is_dataclass(item):
        yield from leaves(item, prefix=f"{prefix}{field}.", role=own)
    else:
        yield Leaf(prefix + field, item, dataclasses.replace(spec, role=own or spec.role))


def range_problems(cfg: Any) -> list[str]:
    """A message for every number outside its range, and for every number that is not finite."""
    problems = []
    for leaf in leaves(cfg):
        values = leaf.value if isinstance(leaf.value, list | tuple) else [leaf.value]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        allowed = leaf.spec.range
        if any(not math.isfinite(n) or (allowed is not None and not allowed.holds(n)) for n in numbers):
            hint = f": {leaf.spec.hint}" if leaf.spec.hint else ""
            place = f"outside {allowed.text}" if allowed is not None else "not a finite number"
            problems.append(f"{leaf.path}={leaf.value} is {place}{hint}")
    return problems
