"""What the stage store holds, and removing what is no longer needed: a study of a 13B model writes terabytes.

    python -m rft.store ls [STUDY_FOLDER ...] [--kind finetune] [--by size|age|kind]
    python -m rft.store gc STUDY_FOLDER ... [--weights] [--delete]
    python -m rft.store pin STUDY_FOLDER_OR_KEY ...            # and unpin

`gc` lists (with --delete: removes) the finished stages that no record of the given study folders rests on and that are not
pinned; stages with model weights, and the checkpoints of unfinished trainings, only with --weights. While any process
computes in the store nothing is removed, since nobody can tell what that process will read next. Pins lie in `pins.json`:
    {"5f0c4a1e77...": "multirun_outputs/quickstart"}           # key -> what was pinned
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from rft.archive.files import json_at, present, record_paths
from rft.infra.disk import StoreError
from rft.infra.entry import EntryInfo
from rft.infra.manifest import read_manifest
from rft.infra.removal import live_stages, remove_checkpoints, remove_stage
from rft.infra.store import Store
from rft.infra.units import age_text, size_text
from rft.records import RECORD_FILE, STUDY_FILE, read_json, write_json

DEFAULT_ROOT = Path("multirun_outputs/.store")
PINS_FILE = "pins.json"
_KEY = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Held:
    """One finished stage of the store, with what is known of its use."""

    info: EntryInfo
    model: str  # whose weights it holds or runs; empty where it concerns none, or nothing says
    studies: tuple[str, ...]  # of those looked at, whose records rest on it
    pinned: bool
    has_weights: bool


def held_stages(store: Store, studies: Iterable[Path]) -> list[Held]:
    """Every finished stage. Raises ValueError for a folder that is no study."""
    used = {folder.name: study_keys(folder) for folder in studies}
    pins = read_pins(store)
    entries = list(store.entries())
    models = _models(entries)
    return [
        Held(
            info,
            models.get(info.key, ""),
            tuple(name for name, keys in used.items() if info.key in keys),
            info.key in pins,
            any(info.path.rglob("*.safetensors")),
        )
        for info in entries
    ]


def study_keys(folder: Path) -> set[str]:
    """Keys of all stages that the folder's records rest on. Raises ValueError when it holds neither manifest nor record."""
    records = record_paths(folder)
    if not records and not (folder / STUDY_FILE).is_file():
        raise ValueError(f"{folder} is no study folder: it has neither {STUDY_FILE} nor a {RECORD_FILE}")
    rows = [json_at(path) for path in records]
    return {stage["key"] for row in rows for part in (row, *row.get("sets", [])) for stage in part["stages"]}


def unfinished(folder: Path) -> int:
    """Cells of the study's manifest without a record."""
    path = folder / STUDY_FILE
    cells = read_json(path)["cells"] if path.is_file() else []
    return sum(not present(folder / cell["folder"] / RECORD_FILE) for cell in cells)


def unused(held: Iterable[Held], *, weights: bool) -> list[Held]:
    """What may go: neither used nor pinned; with weights only if `weights`."""
    return [one for one in held if not one.studies and not one.pinned and (weights or not one.has_weights)]


def read_pins(store: Store) -> dict[str, str]:
    """What was pinned, by stage key."""
    path = store.root / PINS_FILE
    return dict(read_json(path)) if path.is_file() else {}


def change_pins(store: Store, change: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, str]:
    """Update the pins under a lock; returns them."""
    store.root.mkdir(parents=True, exist_ok=True)
    with FileLock(store.root / f".{PINS_FILE}.lock"):
        pins = change(read_pins(store))
        write_json(store.root / PINS_FILE, pins)
    return pins


def keys_named(store: Store, name: str, *, also: Iterable[str] = ()) -> set[str]:
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


def _models(entries: Sequence[EntryInfo]) -> dict[str, str]:
    """Model name by key: from the stages that run a model to its weights, and from those to their base."""
    identities: dict[str, Mapping[str, Any]] = {}
    for info in entries:
        manifest = read_manifest(info.path)
        identities[info.key] = manifest.meta.get("identity", {}) if manifest else {}
    names = {key: str(one["generation"]["model"]) for key, one in identities.items() if "generation" in one}
    for field in ("weights", "base"):
        for key, one in identities.items():
            if key in names and field in one:
                names.setdefault(one[field], names[key])
    return names


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
        use = ", ".join([*one.studies, *(["(pinned)"] if one.pinned else [])]) or "-"
        lines.append(
            f"{info.name:<10} {info.key[:8]} {one.model or '-':<14} {size_text(info.bytes):>9} "
            f"{age_text(time.time() - info.created):>7}  {use}"
        )
    for kind in sorted({one.info.name for one in held}):
        sizes = [one.info.bytes for one in held if one.info.name == kind]
        lines.append(f"{kind}: {len(sizes)} stages, {size_text(sum(sizes))}")
    return "\n".join([*lines, f"in all: {len(held)} stages, {size_text(sum(one.info.bytes for one in held))}"])


def collect(store: Store, studies: Sequence[Path], *, weights: bool, delete: bool) -> int:
    """The `gc` command; returns the exit status."""
    held = held_stages(store, studies)
    going = unused(held, weights=weights)
    for one in going:
        model = f" {one.model}" if one.model else ""
        print(
            f"{'removing' if delete else 'unused'}: {one.info.name} {one.info.key[:8]}{model}, {size_text(one.info.bytes)}"
        )
    spared = [one for one in unused(held, weights=True) if one.has_weights] if not weights else []
    if spared:
        print(
            f"kept: {len(spared)} unused stages with weights, {size_text(_bytes(spared))}: add --weights to include them"
        )
    for folder in studies:
        if count := unfinished(folder):
            print(f"note: {count} cells of {folder} have no record; stages that only they need count as unused")
    if not delete:
        print(f"would free {size_text(_bytes(going))} in {len(going)} stages: add --delete to do it")
        return 0
    if busy := live_stages(store):
        print(
            f"nothing removed: {len(busy)} stages are being computed now ({', '.join(busy[:3])}). Wait for them to end."
        )
        return 1
    if weights and (count := remove_checkpoints(store)):
        print(f"removed the checkpoints of {count} unfinished stages")
    removed = [one for one in going if remove_stage(store, one.info.name, one.info.key)]
    print(f"freed {size_text(_bytes(removed))} in {len(removed)} stages")
    for one in going:
        if one not in removed:
            print(f"left alone: {one.info.name} {one.info.key[:8]} is in use")
    return 0


def _bytes(stages: Iterable[Held]) -> int:
    return sum(one.info.bytes for one in stages)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m rft.store", description="List, remove and pin finished stages.")
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help=f"the store (default {DEFAULT_ROOT})")
    commands = parser.add_subparsers(dest="command", required=True)
    ls = commands.add_parser("ls", help="list finished stages, and which studies use them")
    ls.add_argument("studies", nargs="*", type=Path, help="study folders (default: all beside the store)")
    ls.add_argument("--kind", help="only stages of this kind")
    ls.add_argument("--by", choices=("size", "age", "kind"), default="size")
    gc = commands.add_parser(
        "gc", help="list stages that no record of the given studies rests on; with --delete remove them"
    )
    gc.add_argument("studies", nargs="+", type=Path, help="study folders whose stages are kept")
    gc.add_argument("--weights", action="store_true", help="include stages with model weights")
    gc.add_argument("--delete", action="store_true", help="really remove")
    for name, text in (("pin", "keep from gc"), ("unpin", "no longer keep from gc")):
        command = commands.add_parser(name, help=f"{text}: all stages of a study's records, or one stage")
        command.add_argument("names", nargs="+", help="study folder or stage key")
    given = parser.parse_args(arguments)
    try:
        return _run(Store(given.root), given)
    except (ValueError, StoreError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def _run(store: Store, given: argparse.Namespace) -> int:
    if not store.root.is_dir():
        raise ValueError(f"there is no store in {store.root}: give --root, the store.root of your studies")
    if given.command == "ls":
        studies = given.studies or sorted(path.parent for path in store.root.parent.glob(f"*/{STUDY_FILE}"))
        held = held_stages(store, studies)
        print(ls_text([one for one in held if given.kind in (None, one.info.name)], by=given.by))
        return 0
    if given.command == "gc":
        return collect(store, given.studies, weights=given.weights, delete=given.delete)
    before = read_pins(store)
    named = {key: name for name in given.names for key in keys_named(store, name, also=before)}
    if given.command == "pin":
        after = change_pins(store, lambda pins: {**named, **pins})
    else:
        after = change_pins(store, lambda pins: {key: what for key, what in pins.items() if key not in named})
    print(f"{len(after)} stages pinned ({len(after) - len(before):+d})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
