"""What a study may name: files and folders inside itself, also where links lead.

    refuse_outside(Path("multirun_outputs/quickstart"))      # before anything of it is read
    checked(root, root / "3" / "samples.jsonl")              # the path, or ValueError

A study may come from somebody else: its manifest and records are not trusted with paths.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from rft.archive.files import json_at, present
from rft.records import RECORD_FILE, STUDY_FILE


def checked(root: Path, path: Path) -> Path:
    """The path. Raises ValueError where it, or what a link on the way leads to, lies outside the study's folder."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"{path} leads out of the study {root}, to {path.resolve()}: the explorer shows nothing from outside; "
            "copy the file into the study, or give the folder where it lies"
        )
    return path


def refuse_outside(folder: Path) -> None:
    """Raise ValueError where a manifest names a cell's folder, or a cell holds a record, outside the study."""
    manifest = folder / STUDY_FILE
    if present(folder / RECORD_FILE) or not manifest.is_file():
        return  # a cell by itself, or no study at all, which loading refuses
    entries = json_at(checked(folder, manifest))
    for entry in entries.get("cells", ()) if isinstance(entries, dict) else ():
        checked(folder, folder / str(entry["folder"]) / RECORD_FILE)


def refuse_outside_of_left_out(folder: Path, loaded: Collection[str]) -> None:
    """The same of files that records name, of cells that loading left out: all but those with an id in `loaded`."""
    manifest = folder / STUDY_FILE
    for entry in json_at(manifest)["cells"] if manifest.is_file() else ():
        place = folder / str(entry["folder"])
        if entry["cell_id"] not in loaded and present(place / RECORD_FILE):
            row = json_at(place / RECORD_FILE)
            files = row.get("files") if isinstance(row, dict) else None
            plain_names(folder, place, map(str, files.values()) if isinstance(files, dict) else ())


def plain_names(root: Path, folder: Path, names: Iterable[str]) -> None:
    """Raise ValueError where a record names a file of its own that is no plain name, or a link out of the study."""
    for name in names:
        if name != Path(name).name or name in ("", ".."):
            raise ValueError(f"the record in {folder} names the file {name!r}; a record's files lie beside it")
        checked(root, folder / name)
