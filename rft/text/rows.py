"""Rows of JSON-lines files with their line numbers, and fields of a row, with errors that name both.

for line, row in numbered_rows(Path("answers.jsonl")):           # "-" is standard input; .gz is unzipped
    gold = gold_field(row, "gold", where=f"line {line}")

>>> gold_field({"gold": "1,450"}, "gold", where="line 3")
'1,450'
>>> text_field({"question": "..."}, "gold", where="line 3")
Traceback (most recent call last):
ValueError: line 3 lacks the field 'gold' (it has question)
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rft.text.numbers import canonical_number

Row = Mapping[str, Any]
GREEDY = -1  # the draw of a greedy answer, see rft.records.Sample


class BadGold(ValueError):
    """A gold answer that cannot be used. `data.on_bad_gold=drop` leaves out rows with this fault, and with no other."""


def numbered_rows(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) for every line that is not blank.

    Raises ValueError when the file is missing or a line is no JSON object, with its number.
    """
    if str(path) == "-":
        yield from _parsed("standard input", sys.stdin.buffer)
        return
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no file {path}: give a JSON-lines file")
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rb") as file:
        yield from _parsed(str(path), file)


def _lines(name: str, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines ended by LF alone: U+2028 and a lone CR are inside a row. Raises ValueError for a damaged gzip stream."""
    try:
        yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{name} is a damaged or truncated gzip file: {error}") from None


def _parsed(name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(name, lines), start=1):
        if not line.strip():
            continue
        try:
            row = _DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass"))
        except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, a million brackets
            raise ValueError(f"{name}: line {number} is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{name}: line {number} is a JSON {type(row).__name__}, expected an object")
        yield number, row


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a key that occurs twice: which of its values counts is anyone's guess."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)  # json.loads would make one a line


def text_field(row: Row, name: str, *, where: str = "") -> str:
    """A field as text; numbers are accepted. Raises ValueError when it is missing or neither text nor a number."""
    value = row.get(name)
    if value is None:
        state = "has null in" if name in row else "lacks"
        raise ValueError(f"{where} {state} the field {name!r} (it has {', '.join(sorted(row)) or 'none'})".lstrip())
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        got = type(value).__name__
        raise ValueError(f"{where} has a {got} in the field {name!r}, expected text or a number".lstrip())
    return str(value)


def flag_field(row: Row, name: str, *, where: str) -> bool:
    """An optional true or false, absent is false. Raises ValueError for anything else: "false" as text is not false."""
    value = row.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{where} has {value!r} in the field {name!r}, expected true or false")
    return value


def draw_field(row: Row, *, where: str) -> int:
    """Which draw of its problem a row is, from 0 on; GREEDY for the greedy answer. Raises ValueError for anything else."""
    draw = row.get("draw")
    if not isinstance(draw, int) or isinstance(draw, bool) or draw < GREEDY:
        raise ValueError(
            f"{where} has the draw {draw!r}, expected a whole number from 0 on ({GREEDY}: the greedy answer)"
        )
    return draw


def model_field(row: Row, *, where: str) -> str:
    """Which model wrote a row; '' where it does not say. Raises ValueError for a field that is no text."""
    return "" if row.get("model") is None else text_field(row, "model", where=where)


def gold_field(row: Row, name: str, *, where: str = "") -> str:
    """A gold answer as it is written; a JSON number in decimals (2.0107e-06 is '0.0000020107').

    Raises ValueError when it is missing, BadGold when it is not a number.
    """
    written = text_field(row, name, where=where).strip()
    number = canonical_number(written)
    if number is None:
        raise BadGold(f"{where} has no parsable gold answer: got {written[:40]!r}, {EXPECTED}".lstrip())
    return written if isinstance(row[name], str) else number


EXPECTED = "expected a number such as '72', '1,450' or '2.5' (commas before three digits alone; no fractions)"
