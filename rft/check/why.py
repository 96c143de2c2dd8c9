"""Why stages would run again: another configuration or another cell, stage by stage, with the fields that differ.

    changes(before, after)     # [Change("finetune", "1a2b...", "5e6f...", ("recipe.lr 0.001 -> 0.002",))]

A stage of the second side that the first has not is set beside the one of its kind that it is most like, inputs that were set
beside each other counted as equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEY_DIGITS = 8
MOST_TEXT = 60


@dataclass(frozen=True)
class StageView:
    """A stage as it is compared: from a plan, or from what the store keeps of it."""

    kind: str
    key: str
    version: int | None  # of its output; None where only the store knows it
    fields: Mapping[str, Any]  # its identity: inputs by their keys


@dataclass(frozen=True)
class Change:
    """A stage that the second side needs and the first has not."""

    kind: str
    before: str | None  # key of the stage that it stands for; None: there is none of its kind
    key: str
    own: tuple[str, ...]  # fields that differ, 'recipe.lr 0.001 -> 0.002'
    inputs: tuple[str, ...]  # inputs that differ, 'trainset: human_set 1a2b3c4d -> 5e6f7a8b'

    @property
    def why(self) -> str:
        """In words."""
        if self.before is None:
            return f"no {self.kind} stage like it"
        return "; ".join((*self.own, *self.inputs)) or "the version of its code"


def changes(before: Sequence[StageView], after: Sequence[StageView]) -> list[Change]:
    """Stages of `after` that `before` has not, in their order."""
    there = {one.key for one in before}
    kinds = {one.key: one.kind for one in (*before, *after)}
    gone = {one.key for one in before} - {one.key for one in after}
    stands_for: dict[str, str] = {}  # key of a new stage -> that of the one that it is set beside
    found = []
    for one in after:
        if one.key not in there:
            found.append(_change(one, [old for old in before if old.key in gone], kinds, stands_for))
            stands_for[one.key] = found[-1].before or one.key
    return found


def _change(
    new: StageView, gone: Sequence[StageView], kinds: Mapping[str, str], stands_for: Mapping[str, str]
) -> Change:
    flat = dict(_flat(new.fields))
    alike = {name: stands_for.get(value, value) if isinstance(value, str) else value for name, value in flat.items()}
    candidates = [(dict(_flat(old.fields)), old) for old in gone if old.kind == new.kind]
    if not candidates:
        return Change(new.kind, None, new.key, (), ())
    nearest, old = min(candidates, key=lambda pair: len(_differing(pair[0], alike)))
    own, inputs = [], []
    for name in _differing(nearest, flat):
        a, b = nearest.get(name), flat.get(name)
        if isinstance(a, str) and isinstance(b, str) and a in kinds and b in kinds:
            inputs.append(f"{name}: {kinds[a]} {a[:KEY_DIGITS]} -> {b[:KEY_DIGITS]}")
        else:
            own.append(f"{name} {_shown(a, kinds)} -> {_shown(b, kinds)}")
    if None not in (old.version, new.version) and old.version != new.version:
        own.append(f"version {old.version} -> {new.version}")
    return Change(new.kind, old.key, new.key, tuple(own), tuple(inputs))


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return [name for name in (*a, *(name for name in b if name not in a)) if a.get(name) != b.get(name)]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted path; items of a list by their place."""
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield prefix, value
        return
    for name, inner in items:
        yield from _flat(inner, f"{prefix}.{name}" if prefix else str(name))


def _shown(value: Any, kinds: Mapping[str, str]) -> str:
    if isinstance(value, str) and value in kinds:
        return f"{kinds[value]} {value[:KEY_DIGITS]}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}..."
