"""Digests of a finished cell's files: whether its record and what lies beside it are what was written.

    seal(folder, record=record.to_json(), files=record.all_files)     # before record.json, which says "finished"
    fault(folder)             # None, or 'outcomes.jsonl.gz is not what was written (it was edited or damaged)'
    changed_files(folder)     # ['outcomes.jsonl.gz'], for who can do with the others
    sealed(folder)            # False: a cell from before digests were kept

`digests.json` in the cell's folder: {"record.json": "5f0c...", "outcomes.jsonl.gz": "77ab..."}. The record's digest is of its
values, other files' of their bytes. This finds edits and damage; who changes the digests too is not found.
"""

from __future__ import annotations

import hashlib
import json
import os
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
    try:
        changed = changed_files(folder)
    except ValueError as error:
        return str(error)
    return edited(changed) if changed else None


def changed_files(folder: Path) -> list[str]:
    """Names of the files that are not as they were written; none where no digests were kept.

    Raises ValueError, in words, where a link leads out of the study, or the digests cannot be compared.
    """
    _refuse_links_out(folder)
    if not sealed(folder):
        return []
    try:
        return [name for name, said in _digests(folder).items() if _found(folder, name) != said]
    except (ValueError, OSError, AttributeError, RecursionError) as error:
        raise ValueError(f"its digests cannot be compared: {error}") from error


def is_record_edited(folder: Path) -> bool:
    """Whether a cell's record is not what was written; its other files are not read. False where no digests were kept."""
    try:
        _refuse_links_out(folder)
        return sealed(folder) and _found(folder, RECORD_FILE) != _digests(folder)[RECORD_FILE]
    except (ValueError, OSError, AttributeError, TypeError, RecursionError):
        return True


def edited(names: Iterable[str]) -> str:
    """What is said of changed files."""
    return f"{', '.join(names)} is not what was written (it was edited or damaged)"


def _digests(folder: Path) -> dict[str, str]:
    found = read_json(folder / DIGESTS_FILE)
    if not isinstance(found, dict) or RECORD_FILE not in found:
        raise ValueError(f"{DIGESTS_FILE} has none of the record")
    return found


def _refuse_links_out(folder: Path) -> None:
    is_link = folder.is_symlink()
    try:
        with os.scandir(folder) as entries:  # which knows links without asking for each
            links = [folder / entry.name for entry in entries if entry.is_symlink()]
    except (FileNotFoundError, NotADirectoryError):
        links = []
    if not is_link and not links:
        return
    study = folder.parent.resolve()
    if is_link and not folder.resolve().is_relative_to(study):
        raise ValueError("its folder is a link, and may be another study's: copy what it points to")
    out = sorted(path.name for path in links if not path.resolve().is_relative_to(study))
    if out:
        raise ValueError(f"{', '.join(out)} is a link out of the study, where a cell has files of its own")


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
