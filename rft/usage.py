"""What `rft run --help` says: how to call it, the keys with their allowed values, and the choices of each group.

    print(usage(search_folders(sys.argv[1:])))

It is made from the declarations in rft.config, the source of the methods and the names of files: nothing is composed, and
neither Hydra nor a method is imported.
"""

from __future__ import annotations

import dataclasses
import textwrap
import types
import typing
from collections.abc import Iterator, Sequence
from enum import EnumType
from pathlib import Path
from typing import Any

from rft.conf_path import choices
from rft.config import PoolConfig, ServerConfig, StudyConfig
from rft.config.fields import Spec, specs
from rft.plan.listing import method_names, option_names

WIDTH = 110
HIDDEN_GROUPS = ("hydra",)  # logging formats, not for users

ENTRIES = {"pools": PoolConfig, "servers": ServerConfig}  # keys of each of several things that the user names
_SETS_HINT = "e.g. +eval_sets.svamp.test_path=FILE"

HEAD = """\
usage: rft run [-m] [--config-dir DIR] [key=value ...]

One cell of a study, or with -m every combination of comma-separated values. What is finished is found again.

  rft run                                          one cell of the embedded default
  rft run -m data_frac=0.25,1 method=sft,rft k=4   a sweep
  rft run +study=quickstart                        a study from a file
  rft plan +study=quickstart                       what it would compute, and for how long

  -m, --multirun           sweep over the values
  --config-dir DIR         also find DIR/model/*.yaml, DIR/study/*.yaml, ... of your own
  --cfg job                print the whole configuration that this command line composes
  -sc install=bash         shell completion: eval "$(rft -sc install=bash)"
  --hydra-help             Hydra's own options"""


def usage(folders: Sequence[Path]) -> str:
    """The help text; `folders` hold the files of the groups."""
    groups = [f"  {name}: {', '.join(found)}" for name, found in _groups(folders).items()]
    return "\n".join(
        [HEAD, "", "Keys:", *_key_lines(), "", "Files by group (group=file; +study=file):", *_wrapped(groups)]
    )


def _groups(folders: Sequence[Path]) -> dict[str, list[str]]:
    names = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()}
    found = {name: sorted(choices(name, folders)) for name in sorted(names - set(HIDDEN_GROUPS))}
    return {name: files for name, files in found.items() if files}


def _key_lines() -> Iterator[str]:
    """A line for each key of the top level, those of its parts under it."""
    hints = typing.get_type_hints(StudyConfig)
    for name, spec in specs(StudyConfig).items():
        part = _part(hints[name])
        if spec.filled:
            continue
        if name == "eval_sets":
            yield from _wrapped([f"  +eval_sets.NAME.*: of a test set of eval.sets, the keys of data.* ({_SETS_HINT})"])
        elif name in ENTRIES:
            keys = ", ".join(f.name for f in dataclasses.fields(ENTRIES[name]))
            yield from _wrapped([f"  +{name}.NAME.*: {keys}"])
        elif name == "methods":
            yield from _option_lines()
        elif part is None:
            words = " | ".join(method_names()) if name == "method" else _allowed(hints[name], spec)
            yield from _wrapped([f"  {name}: {words}"])
        else:
            yield from _wrapped([f"  {name}.*: {', '.join(key for key, one in specs(part).items() if not one.filled)}"])


def _option_lines() -> Iterator[str]:
    """A line for each method with options of its own."""
    for name, options in option_names().items():
        yield from _wrapped([f"  methods.{name}.*: {', '.join(options)}"])


def _part(hint: Any) -> Any:
    """The configuration class of a part; None for a plain value."""
    return hint if dataclasses.is_dataclass(hint) else None


def _allowed(hint: Any, spec: Spec) -> str:
    """What a value may be, in words."""
    if isinstance(hint, EnumType):
        return " | ".join(hint.__members__)
    kinds = [k for k in typing.get_args(hint) if k is not type(None)] if isinstance(hint, types.UnionType) else [hint]
    words = " or ".join(k.__name__ if isinstance(k, type) and not typing.get_args(k) else str(k) for k in kinds)
    if spec.range is not None and spec.range.text != "(-inf, inf)":
        words += f" in {spec.range.text}"
    words += " or null" if isinstance(hint, types.UnionType) else ""
    return words + (f", {spec.hint}" if spec.hint else "")


def _wrapped(lines: Sequence[str]) -> list[str]:
    options = {"subsequent_indent": "      ", "break_long_words": False, "break_on_hyphens": False}
    return [textwrap.fill(line, WIDTH, **options) for line in lines]  # type: ignore[arg-type]
