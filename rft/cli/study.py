"""`rft study drop DIR key=value ...`: take cells off a study's list, after saying which. Nothing is deleted.

    rft study drop multirun_outputs/mine method=rft k=16
    multirun_outputs/mine no longer lists 2 of 12 cells (their folders and finished stages stay):
      nano-s_rft_f1_k16_s0-1a2b3c4d
      nano-s_rft_f1_k16_s1-5e6f7a8b

A key is one of the setting by its dotted path, a seed, `model`, `data` or `cell_id`; several values are joined by commas, a
list as a whole stands in brackets (`union=[a,b]`). Cells go that have one of them for every key; one without a record goes
by `cell_id` alone. The same sweep finds dropped cells again, finished. `study_replace=true` drops all as a sweep begins.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rft.archive.files import json_at, present
from rft.archive.reading import ABOUT_FILE
from rft.records import RECORD_FILE, STUDY_FILE, Record

CELL_ID = "cell_id"


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, drop, print; 2 with a message for what cannot be done."""
    parser = argparse.ArgumentParser(prog="rft study", description="Change the list of a study's cells.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="drop")
    drop = actions.add_parser("drop", help="take cells off the list; nothing is deleted")
    drop.add_argument("folder", type=Path, metavar="DIR", help="study folder")
    drop.add_argument("wanted", nargs="+", metavar="key=value", help="which cells: all of these hold")
    drop.add_argument("-n", "--dry-run", action="store_true", help="say which, and leave the list as it is")
    options = parser.parse_args(arguments)
    try:
        print(drop_cells(options.folder, options.wanted, dry_run=options.dry_run))
    except (ValueError, OSError) as error:
        print(f"rft study: {error}", file=sys.stderr)
        return 2
    return 0


def drop_cells(folder: Path, wanted: Sequence[str], *, dry_run: bool) -> str:
    """Take the cells that have these values off the list; says which. Raises ValueError when no cell has them."""
    from rft.infra.study import Study

    if not (folder / STUDY_FILE).is_file() or (folder / ABOUT_FILE).is_file():
        raise ValueError(f"{folder} is no live study: give the folder of one, e.g. multirun_outputs/quickstart")
    study = Study(folder, folder.name)
    keys = {str(entry[CELL_ID]): _known(folder / entry["folder"], str(entry[CELL_ID])) for entry in study.cells()}
    asked = [_asked(text, keys) for text in wanted]
    gone = [cell_id for cell_id, known in keys.items() if all(_has(known, key, texts) for key, texts in asked)]
    if not gone:
        raise ValueError(f"no cell has {' '.join(wanted)}: nothing was dropped")
    if not dry_run:
        study.drop(gone)
    verb = "would no longer list" if dry_run else "no longer lists"
    head = f"{folder} {verb} {len(gone)} of {len(keys)} cells (their folders and finished stages stay):"
    return "\n".join([head, *(f"  {cell_id}" for cell_id in gone)])


def _known(place: Path, cell_id: str) -> dict[str, Any]:
    """What may be asked of a cell: all of its setting, its seeds and names; of one without a record its id alone."""
    if not present(place / RECORD_FILE):
        return {CELL_ID: cell_id}
    record = Record.from_json(json_at(place / RECORD_FILE))
    named = {name: record.names[name] for name in ("model", "data")}
    return {**record.setting, **record.seeds, **named, CELL_ID: cell_id}


def _asked(text: str, keys: dict[str, dict[str, Any]]) -> tuple[str, list[str]]:
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r} is no key=value")
    known = {name for one in keys.values() for name in one}
    if key not in known:
        from rft.registry import suggestion

        raise ValueError(f"no cell has the key {key!r}{suggestion(key, known)}")
    return key, [value] if value.startswith("[") else value.split(",")


def _has(known: dict[str, Any], key: str, texts: Sequence[str]) -> bool:
    return key in known and any(_same(known[key], text) for text in texts)


def _same(value: Any, text: str) -> bool:
    """Whether a value is what stands on a command line: 1 and 1.0 are one number; null is None; a list as in union=[a,b]."""
    if isinstance(value, list):
        return text.replace(" ", "") == f"[{','.join(map(str, value))}]"
    try:
        return bool(json.loads(text) == value)
    except ValueError:
        return bool(text == value)
