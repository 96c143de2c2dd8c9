"""A first look at command-line overrides, for errors with a suggestion before Hydra composes anything.

>>> from rft.conf_path import conf_folder
>>> problem = check_overrides(["model=nano-q"], folders=[conf_folder()], choices={}, options={})
>>> problem.partition(" Known:")[0]
"model=nano-q: unknown model 'nano-q'. Did you mean nano-s?"
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import EnumType
from pathlib import Path
from typing import Any

from rft.conf_path import choices as files_of
from rft.config import StudyConfig
from rft.registry import nearest

COMPLETION_FLAGS = ("-sc", "--shell-completion")  # of Hydra; what follows them (query=bash) is no key
HYDRA_PREFIXES = ("hydra", "+hydra", "~")
_PLAIN_CHOICES = re.compile(r"^[\w.+-]+(,[\w.+-]+)*$")


def named_plugins(arguments: Sequence[str]) -> list[str]:
    """The modules of `plugins=[a,b]` on the command line: they must be loaded before anything is composed."""
    given = [value for key, _, value in (argument.partition("=") for argument in arguments) if key == "plugins"]
    return [name.strip() for name in given[-1].strip("[]").split(",") if name.strip()] if given else []


def check_overrides(
    arguments: Sequence[str],
    *,
    folders: Sequence[Path],
    choices: Mapping[str, Collection[str]],
    options: Mapping[str, type],
) -> str | None:
    """The first problem found, or None: an unknown key, group choice (of the files in `folders`), name or Enum value.

    `choices`: allowed names by key, of things that register themselves; `options`: of each method, below `methods.<name>`.
    """
    if set(COMPLETION_FLAGS) & set(arguments):
        return None
    tree = _Tree(folders, choices, options)
    for argument in arguments:
        key, separator, value = argument.partition("=")
        if not separator or key.startswith(("-", *HYDRA_PREFIXES)):
            continue
        problem = tree.check(key.lstrip("+"), value)
        if problem is not None:
            return f"{argument}: {problem}"
    return None


@dataclass(frozen=True)
class _Tree:
    """Everything that an override may name."""

    folders: Sequence[Path]
    choices: Mapping[str, Collection[str]]
    options: Mapping[str, type]

    def check(self, key: str, value: str) -> str | None:
        if any((folder / key).is_dir() for folder in self.folders):
            return _check_choices(key, value, sorted(files_of(key, self.folders)))
        if key in self.choices:
            return _check_choices(key, value, list(self.choices[key]))
        kind: Any = StudyConfig
        parts = key.split(".")
        for depth, part in enumerate(parts):
            fields = self.options if parts[:depth] == ["methods"] else _fields(kind)
            if fields is None:
                return None
            if part not in fields:
                known = sorted(fields)
                place = " in " + ".".join(parts[:depth]) if depth else ""
                return f"unknown key {part!r}{place}.{_suggest(part, known)} Known: {', '.join(known)}"
            kind = fields[part]
        if isinstance(kind, EnumType):
            return _check_choices(key, value, list(kind.__members__))
        return None


def _check_choices(key: str, value: str, known: list[str]) -> str | None:
    if not _PLAIN_CHOICES.fullmatch(value):
        return None  # an interpolation, glob or function: Hydra's own grammar
    for choice in value.split(","):
        if choice not in known:
            own = f"files of your own, DIR/{key}/NAME.yaml, are found with --config-dir DIR"
            return f"unknown {key} {choice!r}.{_suggest(choice, known)} Known: {', '.join(known)}; {own}"
    return None


def _suggest(word: str, known: list[str]) -> str:
    close = nearest(word, known)
    return f" Did you mean {close}?" if close else ""


def _fields(kind: Any) -> Mapping[str, Any] | None:
    """Field types of a configuration class (or of `Class | None`); None when it is no class of ours."""
    if isinstance(kind, types.UnionType):
        kind = next((arg for arg in typing.get_args(kind) if dataclasses.is_dataclass(arg)), None)
    if not dataclasses.is_dataclass(kind):
        return None
    return typing.get_type_hints(kind)
