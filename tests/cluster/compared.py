"""What two runs of one study differ in, whatever ran them: every value of every record, every row of every file of a cell.

    python tests/cluster/compared.py multirun_outputs/quickstart elsewhere/multirun_outputs/quickstart
    22 cells on either side, 88 files of rows
    record.json cost[].seconds: 22 cells, e.g. 8.1 and 9.4 of nano-xs_icl_s0-9e817454
    elsewhere/multirun_outputs/.store: 131 computations of 131 keys, 402.1 s

Either may be an archive. Nothing is left out: costs and provenance differ, and are listed with the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from rft.archive.files import json_at, present, record_paths, rows_at  # noqa: E402
from rft.records import RECORD_FILE, Record, read_jsonl  # noqa: E402


@dataclass
class Difference:
    """Of one key of one kind of file."""

    num_cells: int
    example: str


def differences(first: Path, second: Path) -> dict[str, Difference]:
    """By 'FILE KEY', with [] for places in lists. Raises ValueError where the two do not have the same cells."""
    own, other = ({path.parent.name: path for path in record_paths(folder)} for folder in (first, second))
    if own.keys() != other.keys():
        raise ValueError(f"cells of one alone: {sorted(own.keys() ^ other.keys())}")
    found: dict[str, Difference] = {}
    for cell in own:
        for key, example in _of_cell(own[cell], other[cell]).items():
            found.setdefault(key, Difference(0, f"{example} of {cell}")).num_cells += 1
    return found


def files_of_rows(record: Path) -> list[str]:
    """Of a cell, as its record names them, those that hold rows."""
    return [name for name in Record.from_json(json_at(record)).all_files if ".jsonl" in name]


def computations(store: Path) -> tuple[int, int, float]:
    """(stages computed, different ones among them, seconds in all) in the life of a store."""
    rows = list(read_jsonl(store / "timings.jsonl"))
    return len(rows), len({(row["name"], row["key"]) for row in rows}), sum(row["seconds"] for row in rows)


def _of_cell(own: Path, other: Path) -> dict[str, str]:
    found = dict(_unlike(RECORD_FILE, json_at(own), json_at(other)))
    for name in files_of_rows(own):
        if not present(other.parent / name):
            found[f"{name} is missing"] = "there is none"
            continue
        rows = list(rows_at(own.parent / name)), list(rows_at(other.parent / name))
        found |= {key: found.get(key, example) for key, example in _unlike(name, *rows)}
    return found


def _unlike(file: str, own: Any, other: Any) -> Iterator[tuple[str, str]]:
    """(key, both values) of what differs between two values of JSON."""
    first, second = dict(_flat(own)), dict(_flat(other))
    for place in {**first, **second}:
        values = first.get(place, "nothing"), second.get(place, "nothing")
        if values[0] != values[1] or type(values[0]) is not type(values[1]):
            name = ".".join(one for one in place if isinstance(one, str)).replace(".[]", "[]")
            yield f"{file} {name}", f"{values[0]!r:.60} and {values[1]!r:.60}"


def _flat(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Scalars by their place; an item of a list has '[]' and its number there."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _flat(one, (*place, str(name)))
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _flat(one, (*place, "[]", number))
    else:
        yield place, value


def main() -> None:
    first, second = map(Path, sys.argv[1:3])
    records = record_paths(first)
    found = differences(first, second)
    print(f"{len(records)} cells on either side, {sum(len(files_of_rows(one)) for one in records)} files of rows")
    for key, one in sorted(found.items()):
        print(f"{key}: {one.num_cells} cells, e.g. {one.example}")
    for store in (folder.parent / ".store" for folder in (first, second)):
        if store.is_dir():
            computed, keys, seconds = computations(store)
            print(f"{store}: {computed} computations of {keys} keys, {seconds:.1f} s")


if __name__ == "__main__":
    main()
