"""What the stage store holds, and removing what is no longer needed: a study of a 13B model writes terabytes.

    python -m rft.store ls [STUDY_FOLDER ...] [--kind finetune] [--by size|age|kind]
    python -m rft.store gc [STUDY_FOLDER ...] [--weights] [--only] [--forget FOLDER] [--delete]
    python -m rft.store pin STUDY_FOLDER_OR_KEY ...            # and unpin

`gc` lists (with --delete: removes) the finished stages that no record of a known study rests on, that are not pinned, and
that no live sweep has reserved; stages with model weights, and checkpoints, only with --weights. Known are the studies beside
the store, those whose sweeps have used it, and those given; with --only, those given alone. Nothing behind a link is listed
or removed. While a process computes a stage that no sweep has reserved nothing is removed: nobody can tell what that process
will read next.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rft.folders import DEFAULT_ROOT
from rft.infra.collection import Wanted, collect
from rft.infra.disk import StoreError
from rft.infra.holdings import Held, change_pins, held_stages, known_studies, read_pins, study_keys
from rft.infra.stage_store import StageStore
from rft.infra.stores import named_store
from rft.infra.units import age_text, size_text

_KEY = re.compile(r"[0-9a-f]{8,64}")


def keys_named(store: StageStore, name: str, *, also: Iterable[str] = ()) -> set[str]:
    """Stage keys of a study folder, or the one key that begins with `name` (8 hex digits or more), in store or `also`.

    Raises ValueError for anything else.
    """
    if Path(name).is_dir():
        return study_keys(Path(name))
    if not _KEY.fullmatch(name):
        raise ValueError(f"{name} is neither a study folder nor a stage key (8 or more hex digits, see `ls`)")
    found = {info.key for info in store.entries() if info.key.startswith(name)}
    found |= {key for key in also if key.startswith(name)}
    if len(found) != 1:
        raise ValueError(f"{len(found)} stages of {store.root} have a key that begins with {name}, expected one")
    return found


def ls_text(held: Sequence[Held], *, by: str) -> str:
    """A line a stage, then totals by kind."""
    orders: dict[str, Callable[[Held], Any]] = {
        "size": lambda one: -one.info.bytes,
        "age": lambda one: one.info.created,
        "kind": lambda one: (one.info.name, one.model),
    }
    lines = [f"{'kind':<10} {'key':<8} {'model':<14} {'size':>9} {'age':>7}  used by"]
    for one in sorted(held, key=orders[by]):
        info = one.info
        marks = [*(["(pinned)"] if one.pinned else []), *(["(a live sweep)"] if one.reserved else [])]
        lines.append(
            f"{info.name:<10} {info.key[:8]} {one.model or '-':<14} {size_text(info.bytes):>9} "
            f"{age_text(time.time() - info.created):>7}  {', '.join([*one.studies, *marks]) or '-'}"
        )
    for kind in sorted({one.info.name for one in held}):
        sizes = [one.info.bytes for one in held if one.info.name == kind]
        lines.append(f"{kind}: {len(sizes)} stages, {size_text(sum(sizes))}")
    return "\n".join([*lines, f"in all: {len(held)} stages, {size_text(sum(one.info.bytes for one in held))}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return _run(named_store(given.root), given)
    except (ValueError, StoreError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rft.store", description="List, remove and pin finished stages.")
    parser.add_argument("--root", default=DEFAULT_ROOT, help=f"the store, a folder or a URL (default {DEFAULT_ROOT})")
    commands = parser.add_subparsers(dest="command", required=True)
    ls = commands.add_parser("ls", help="list finished stages, and which studies use them")
    ls.add_argument("studies", nargs="*", type=Path, help="study folders (default: all that are known)")
    ls.add_argument("--kind", help="only stages of this kind")
    ls.add_argument("--by", choices=("size", "age", "kind"), default="size")
    gc = commands.add_parser(
        "gc",
        help="list stages that nothing rests on: no record of a known study, no pin, no live sweep; --delete removes",
    )
    gc.add_argument("studies", nargs="*", type=Path, help="study folders whose stages are kept, beside the known ones")
    gc.add_argument("--only", action="store_true", help="keep the stages of no other studies than those given")
    gc.add_argument(
        "--forget", action="append", default=[], metavar="FOLDER", help="a study that is gone for good; again for more"
    )
    gc.add_argument("--weights", action="store_true", help="include stages with model weights")
    gc.add_argument("--delete", action="store_true", help="really remove")
    for name, text in (("pin", "keep from gc"), ("unpin", "no longer keep from gc")):
        command = commands.add_parser(name, help=f"{text}: all stages of a study's records, or one stage")
        command.add_argument("names", nargs="+", help="study folder or stage key")
    return parser


def _run(store: StageStore, given: argparse.Namespace) -> int:
    if isinstance(store.root, Path) and not store.root.is_dir():
        raise ValueError(f"there is no store in {store.root}: give --root, the store.root of your studies")
    if given.command == "ls":
        held = held_stages(store, given.studies or known_studies(store).there)
        print(ls_text([one for one in held if given.kind in (None, one.info.name)], by=given.by))
        return 0
    if given.command == "gc":
        if given.only and not given.studies:
            raise ValueError("--only keeps the stages of the studies given: give at least one")
        wanted = Wanted(tuple(given.studies), given.only, tuple(given.forget), given.weights, given.delete)
        return collect(store, wanted, tell=print)
    return _change_pins(store, given)


def _change_pins(store: StageStore, given: argparse.Namespace) -> int:
    before = read_pins(store)
    named = {key: name for name in given.names for key in keys_named(store, name, also=before)}
    if given.command == "pin":
        after = change_pins(store, lambda pins: {**named, **pins}, tell=print)
    else:
        after = change_pins(store, lambda pins: {key: one for key, one in pins.items() if key not in named}, tell=print)
    print(f"{len(after)} stages pinned ({len(after) - len(before):+d})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
