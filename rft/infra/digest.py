"""Stable digests of configuration values and of file contents: the identity of every stage.

    >>> digest({"name": "finetune", "config": {"epochs": 3}, "inputs": ["5f0c4a1e", "77ab01d2"]})
    '10247f32595dfedf3f458450a268b032'
    >>> digest({"epochs": 3}) == digest({"epochs": 3.0})
    True
    >>> digest({"train": {"lr": len}})
    Traceback (most recent call last):
    ValueError: train.lr: builtin_function_or_method; a stage's identity is made of None, bool, int, float, ...

Equal values have equal digests however they are spelled: 1 and 1.0, a tuple and a list, keys in any order, a dataclass
and the dict of its fields, an Enum member and its value. A value without a stable serialisation is refused, naming its place,
and never turned into text.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

_PLAIN = frozenset((str, int, bool, type(None)))  # exact types that stand for themselves
_MAX_DEPTH = 64  # a deeper value is taken for a cycle

_file_digests: dict[
    str, tuple[tuple[int, int, int], str]
] = {}  # path -> ((size, mtime_ns, inode), digest), this process


def digest(value: Any) -> str:
    """32 hex characters that name a JSON-like value. Raises ValueError naming the place of what cannot be digested."""
    text = json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def canonical(value: Any) -> Any:
    """The plain JSON value (dict, list, str, int, float, bool, None) that stands for `value` in its digest."""
    return _canonical(value, place="", depth=0)


def _canonical(value: Any, *, place: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _refusal(place, f"nested deeper than {_MAX_DEPTH} levels (does it contain itself?)")
    kind = type(value)
    if kind is dict:  # the common exact types first; subclasses are handled below
        return _canonical_mapping(value, place=place, depth=depth)
    if kind is list or kind is tuple:
        return _canonical_items(value, place=place, depth=depth)
    if kind is float:
        return _canonical_float(value, place)
    if isinstance(value, Enum):
        return _canonical(value.value, place=place, depth=depth + 1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _canonical_float(value, place)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return _canonical_mapping(value, place=place, depth=depth)
    if isinstance(value, list | tuple):
        return _canonical_items(value, place=place, depth=depth)
    if isinstance(value, PurePath):
        raise _refusal(place, f"{type(value).__name__}: a path is no identity, use file_digest or an input's key")
    raise _refusal(place, type(value).__name__)


def _canonical_items(value: Sequence[Any], *, place: str, depth: int) -> list[Any]:
    return [
        item if type(item) in _PLAIN else _canonical(item, place=f"{place}[{i}]", depth=depth + 1)
        for i, item in enumerate(value)
    ]


def _canonical_float(value: float, place: str) -> int | float:
    if not math.isfinite(value):
        raise _refusal(place, f"{value} is not a finite number")
    return int(value) if value.is_integer() else float(value)  # also makes -0.0 a plain 0


def _canonical_mapping(value: Mapping[Any, Any], *, place: str, depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(key, Enum):
            key = key.value
        if not isinstance(key, str):
            raise _refusal(place, f"key {key!r} is a {type(key).__name__}, only str keys are stable")
        if type(item) in _PLAIN:  # most values: spares a call and the text of its place
            plain[key] = item
        else:
            plain[key] = _canonical(item, place=f"{place}.{key}" if place else key, depth=depth + 1)
    return plain


def _refusal(place: str, what: str) -> ValueError:
    return ValueError(
        f"{place or 'value'}: {what}; a stage's identity is made of None, bool, int, float, str, Enum, list, tuple, "
        "dict and dataclass only"
    )


def file_digest(path: Path) -> str:
    """32 hex characters of a file's content, read in a stream; remembered in this process by path, size, mtime, inode.

    Raises FileNotFoundError or another OSError when the file cannot be read.
    """
    stat = os.stat(path)
    seen = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    name = os.path.abspath(path)
    cached = _file_digests.get(name)
    if cached is None or cached[0] != seen:
        cached = _file_digests[name] = (seen, content_digest(path))
    return cached[1]


def content_digest(path: Path) -> str:
    """Like file_digest, but always reads the file. SHA-256 (cut to 128 bits): most CPUs have instructions for it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def files_digest(paths: Sequence[Path]) -> str:
    """Digest of a file by its content; of several that of their contents in order."""
    return file_digest(paths[0]) if len(paths) == 1 else digest([file_digest(path) for path in paths])


def require_content(path: Path, digest: str) -> None:
    """Raise RuntimeError when a file is no longer what a study was planned with; to be called after it was read."""
    if content_digest(path) != digest:
        raise RuntimeError(
            f"{path} has changed since the study was planned: leave it alone while a study runs, and start it again"
        )


def require_contents(name: str, paths: Sequence[Path], content: str) -> None:
    """The same of one file or several, as `files_digest` saw them."""
    found = content_digest(paths[0]) if len(paths) == 1 else digest([content_digest(path) for path in paths])
    if found != content:
        raise RuntimeError(
            f"{name} has changed since the study was planned: leave it alone while a study runs, and start it again"
        )
