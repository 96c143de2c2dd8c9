"""Rows of data files in any common form, each with its place for messages.

    for place, row in placed_rows("mine.csv"):         # ("row 2", {"question": ..., "answer": ...})
        ...
    placed_rows("MATH/train/*/*.json")                 # several files, sorted by name: ("algebra/1.json: row 1", {...})

    >>> files_behind("no/such/*.json")
    []

| ending                | rows |
|-----------------------|------|
| .json                 | the objects of a list, of an object's only list (such as `data`), or the one object |
| .csv, .tsv            | a line, fields named by the first line |
| .parquet              | a row (pyarrow: `pip install '.[hub]'`) |
| any other, or with .gz | JSON lines |
"""

from __future__ import annotations

import csv
import glob
import importlib.util
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rft.text.rows import Row, numbered_rows, unique_keys

PATTERN = "*?["  # a path with one of these names several files
ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz")
NARROW = ("float", "halffloat")  # columns of floating-point numbers of 32 and 16 bits
BATCH = 1024  # rows of a parquet file read at once


def files_behind(source: str) -> list[Path]:
    """The files that a path or pattern names, sorted; none where there are none."""
    path = Path(source)
    if path.is_file():
        return [path]
    if any(letter in source for letter in PATTERN):
        return sorted(Path(name) for name in glob.glob(source, recursive=True) if Path(name).is_file())
    return []


def placed_rows(source: str | Path) -> Iterator[tuple[str, Row]]:
    """(place, row) of every row. Raises ValueError when a file is missing, or is not what its ending says."""
    files = files_behind(str(source))
    if not files:
        raise ValueError(
            f"no file {source}: give a file of JSON lines, .json, .csv, .tsv or .parquet, or a pattern of several"
        )
    for path in files:
        many = f"{'/'.join(path.parts[-2:])}: " if len(files) > 1 else ""
        for place, row in _rows(path):
            yield many + place, row


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    if path.suffix == ".json":
        rows: Iterator[Any] = _json(path)
    elif path.suffix in (".csv", ".tsv"):
        rows = _csv(path, separator="," if path.suffix == ".csv" else "\t")
    elif path.suffix == ".parquet":
        rows = _parquet(path)
    else:
        yield from ((f"line {number}", row) for number, row in numbered_rows(path))
        return
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"{path}: row {number} is a JSON {type(row).__name__}, expected an object")
        yield f"row {number}", row


def _json(path: Path) -> Iterator[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        hint = " (a file of JSON lines ends in .jsonl)" if "Extra data" in str(error) else ""
        raise ValueError(f"{path} is not JSON: {error}{hint}") from None
    lists = [value for value in found.values() if isinstance(value, list)] if isinstance(found, dict) else []
    if isinstance(found, dict):
        found = lists[0] if len(found) == len(lists) == 1 else [found]
    if not isinstance(found, list):
        raise ValueError(f"{path} is a JSON {type(found).__name__}, expected a list of objects")
    yield from found


def _csv(path: Path, *, separator: str) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=separator, strict=True)
        try:
            names = reader.fieldnames or []
            if len(set(names)) < len(names):
                raise ValueError(
                    f"{path}: the first line names a field twice ({', '.join(names)}): its fields need names of their own"
                )
            for number, row in enumerate(reader, start=1):
                if None in row or None in row.values():
                    got = len([value for name, value in row.items() if name is not None and value is not None])
                    got += len(row.get(None, []))  # type: ignore[call-overload]
                    raise ValueError(f"{path}: row {number} has {got} fields, the first line names {len(names)}")
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            hint = ": save the file as UTF-8" if isinstance(error, UnicodeDecodeError) else ""
            raise ValueError(f"{path}, near line {reader.line_num + 1}: {error}{hint}") from None


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    if importlib.util.find_spec("pyarrow") is None:
        raise ValueError(
            f"{path} needs pyarrow, which is not installed: pip install '.[hub]', or give JSON lines or CSV"
        )
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no parquet file: {str(error).splitlines()[0]}") from None
    with file:
        narrow = [one.name for one in file.schema_arrow if str(one.type) in NARROW]
        for batch in file.iter_batches(batch_size=BATCH):
            yield from (_plain(row, narrow) for row in batch.to_pylist())


def _plain(row: dict[str, Any], narrow: Sequence[str]) -> dict[str, Any]:
    """Numbers as they were meant: 0.1 in 32 bits is 0.10000000149011612 in 64; decimals are text here."""
    import numpy as np

    for name in narrow:
        row[name] = None if row[name] is None else float(str(np.float32(row[name])))
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}
