"""A stage again from what the store keeps of it: its kind, its fields, and its inputs by their keys.

    stages = Rebuilder(store)
    stages.stage("select", "5f0c4a1e...")        # Select(...), whose key is this one; else ValueError says why

What is no part of an identity is not kept (labels, paths of files). A stage is taken only if its fields give its key today.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any

from rft.infra.manifest import CorruptError, Manifest
from rft.infra.stage_store import StageStore
from rft.registry import import_modules
from rft.stages.stage import Stage

PATH = "path"  # a field that says where something lies outside the store


class LackingError(ValueError):
    """A stage that another one rests on is not there or is damaged."""


class Rebuilder:
    """Stages of one store, each made once."""

    def __init__(self, store: StageStore) -> None:
        self.store = store
        self._made: dict[str, Stage[Any]] = {}
        self._manifests: dict[str, Manifest] = {}  # of stages that many cells rest on

    def manifest(self, kind: str, key: str) -> Manifest:
        """Of a finished stage. Raises ValueError where the store has none that can be read."""
        if key not in self._manifests:
            try:
                found = self.store.manifest(kind, key)
            except CorruptError as error:
                raise LackingError(f"{kind} {key[:8]} is damaged: {error}") from None
            if found is None:
                raise LackingError(f"{kind} {key[:8]} is not in the store")
            if not (isinstance(found.meta.get("identity"), dict) and isinstance(found.meta.get("inputs"), list)):
                raise LackingError(f"{kind} {key[:8]} is damaged: its manifest does not say what it was made of")
            self._manifests[key] = found
        return self._manifests[key]

    def stage(self, kind: str, key: str) -> Stage[Any]:
        """Raises ValueError for one that is not there, of a kind that is unknown, or whose fields give another key today."""
        if key not in self._made:
            meta = self.manifest(kind, key).meta
            kinds = {name: of for of, name in meta["inputs"]}
            self._made[key] = self._from(kind, key, meta["identity"], kinds)
        return self._made[key]

    def _from(self, kind: str, key: str, identity: dict[str, Any], kinds: Mapping[str, str]) -> Stage[Any]:
        for known in stage_classes().get(kind, ()):
            try:
                made = _Decoder(self, kinds).instance(known, identity)
            except (TypeError, KeyError, AttributeError, IndexError) as error:
                raise ValueError(f"its fields are not those of a {kind} today ({error})") from None
            if isinstance(made, Stage) and made.key == key:
                return made
        known_words = "its fields give another key today" if kind in stage_classes() else "no stage has this kind today"
        raise ValueError(f"{known_words} (another version of the code, or a plug-in that is not loaded)")


def outside(stage: Stage[Any]) -> str | None:
    """What a rebuilt stage lacks to run: a file or model that lies outside the store; None where it lacks nothing."""
    fields = {one.name: one for one in dataclasses.fields(stage)}
    reads_file = PATH in fields and (fields[PATH].default is dataclasses.MISSING or getattr(stage, "content", None))
    return "it reads a file or model outside the store, whose place is not kept" if reads_file else None


@cache
def stage_classes() -> dict[str, list[type[Stage[Any]]]]:
    """All classes of stages by their kind."""
    for package in ("rft.stages", "rft.methods"):
        import_modules(package)
    found: dict[str, list[type[Stage[Any]]]] = {}
    for one in _below(Stage):
        if "kind" in vars(one):
            found.setdefault(one.kind, []).append(one)
    return found


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


class _Decoder:
    """Values of fields from JSON, by the types that the fields declare."""

    def __init__(self, stages: Rebuilder, kinds: Mapping[str, str]) -> None:
        self.stages, self.kinds = stages, kinds

    def instance(self, kind: type[Any], row: Mapping[str, Any]) -> Any:
        """A dataclass. Raises TypeError where the row has other fields."""
        fields = {one.name: one for one in dataclasses.fields(kind) if one.init}
        if not row.keys() <= fields.keys():
            raise TypeError(f"{kind.__name__} has no {', '.join(sorted(row.keys() - fields.keys()))}")
        hints = _hints(kind)
        given = {name: self.value(hints[name], value) for name, value in row.items()}
        unkept = (name for name, one in fields.items() if not one.compare and one.default is dataclasses.MISSING)
        return kind(**{**dict.fromkeys(unkept, ""), **given})  # names and places are not kept, and no part of the key

    def value(self, hint: Any, value: Any) -> Any:
        """A value of a declared type."""
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if value is None:
            return None
        if origin in (typing.Union, types.UnionType):
            return self._one_of([one for one in inner if one is not type(None)], value)
        if origin in (tuple, list) and isinstance(value, list):
            same = origin is list or (len(inner) == 2 and inner[1] is Ellipsis)
            items = [self.value(inner[0] if same else inner[i], item) for i, item in enumerate(value)]
            return origin(items)
        if isinstance(value, str) and value in self.kinds and _is_stage(hint):
            return self.stages.stage(self.kinds[value], value)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint(value)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
            return self.instance(hint, value)
        return float(value) if hint is float and isinstance(value, int) else value

    def _one_of(self, hints: list[Any], value: Any) -> Any:
        if isinstance(value, str) and value in self.kinds:
            return self.stages.stage(self.kinds[value], value)
        for hint in hints:
            try:
                return self.value(hint, value)
            except LackingError:
                raise
            except (TypeError, ValueError, KeyError, IndexError):
                continue
        raise TypeError(f"{value!r} is none of {hints}")


def _is_stage(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Stage)


_known_hints: dict[type[Any], dict[str, Any]] = {}


def _hints(kind: type[Any]) -> dict[str, Any]:
    if kind not in _known_hints:
        _known_hints[kind] = typing.get_type_hints(kind)
    return _known_hints[kind]
