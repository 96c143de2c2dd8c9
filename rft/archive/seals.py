"""Digests of a finished cell's files: whether its record and what lies beside it are what was written.

    seal(folder, record=record.to_json(), files=record.all_files)     # before record.json, which says "finished"
    fault(folder)             # None, or 'outcomes.jsonl.gz is not what was written (it was edited or damaged)'
    sealed(folder)            # False: a cell from before digests were kept

`digests.json` in the cell's folder: {"record.json": "5f0c...", "outcomes.jsonl.gz": "77ab..."}. The record's digest is of its
values, other files' of their bytes. This finds edits and damage; who changes the digests too is not found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rft.records import RECORD_FILE, read_json, write_json

DIGESTS_FILE = "digests.json"


def seal(folder: Path, *, record: Any, files: Iterable[str]) -> None:
    """Write the digests of a cell's record, and of those of its files that are there."""
    found = {name: _of_file(folder / name) for name in files if (folder / name).is_file()}
    write_json(folder / DIGESTS_FILE, {RECORD_FILE: _of_values(record), **found})


def sealed(folder: Path) -> bool:
    """Whether the folder has digests; an archive's cell has no folder, and digests of its own."""
    return (folder / DIGESTS_FILE).is_file()


def fault(folder: Path) -> str | None:
    """What is not as it was written, in words; None where all is, or where no digests were kept."""
    if (links := _links(folder)) is not None:
        return links
    if not sealed(folder):
        return None
    try:
        said = read_json(folder / DIGESTS_FILE)
        differing = [name for name, digest in said.items() if _found(folder, name) != digest]
    except (ValueError, OSError, AttributeError, RecursionError) as error:
        return f"its digests cannot be compared: {error}"
    return f"{', '.join(differing)} is not what was written (it was edited or damaged)" if differing else None


def _links(folder: Path) -> str | None:
    """What leads out of the study, in words: a cell is a plain folder of plain files."""
    if folder.is_symlink():
        return "its folder is a link, and may be another study's: copy what it points to"
    names = [path.name for path in folder.iterdir() if path.is_symlink()] if folder.is_dir() else []
    return f"{', '.join(sorted(names))} is a link, where a cell has plain files" if names else None


def _found(folder: Path, name: str) -> str | None:
    """The digest of one file as it is now; None where it is gone, or is no file of this folder."""
    path = folder / name
    if Path(name).name != name or not path.is_file():
        return None
    return _of_values(read_json(path)) if name == RECORD_FILE else _of_file(path)


def _of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_values(value: Any) -> str:
    """Of JSON as it is read back, so that neither order nor layout counts."""
    plain = json.loads(json.dumps(value))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
