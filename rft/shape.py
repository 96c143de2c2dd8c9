"""The inner parts of a parsed record.json: whether each row has what its readers take from it, in words where one has not.

    refuse_odd_parts(row)         # ValueError: stages[3] has no key: {'name': 'select'}

A record may be damaged or written by hand: whoever reads one (the analysis, verify, gc) meets a sentence, never a KeyError.
Standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 80  # characters of a value


def refuse_odd_parts(row: Mapping[str, Any], *, place: str = "") -> None:
    """Of a record, or of one of its test sets. Raises ValueError; TypeError and KeyError where a whole part is odd."""
    _require_texts(row.get("names", {}), f"{place}names")
    _require_texts(row["files"], f"{place}files")
    for name, value in row.get("seeds", {}).items():
        _require(
            isinstance(value, int) and not isinstance(value, bool), f"{place}seeds.{name}", value, "a whole number"
        )
    origins = row["provenance"].get("origins", [])
    _require(isinstance(origins, list), f"{place}provenance.origins", origins, "a list")
    for number, one in enumerate(origins):
        _require(isinstance(one, dict), f"{place}provenance.origins[{number}]", one, "an object")
    command = row["provenance"].get("command", [])
    _require(isinstance(command, str | list), f"{place}provenance.command", command, "a list of words")
    for number, stage in enumerate(row["stages"]):
        _refuse_odd_stage(stage, f"{place}stages[{number}]", num_origins=len(origins))
    for number, cost in enumerate(row["cost"]):
        _refuse_odd_cost(cost, f"{place}cost[{number}]")


def refuse_odd_set(row: Mapping[str, Any]) -> None:
    """The same of a further test set's part."""
    place = f"sets.{row['name']!s:.{MOST_SHOWN}}."
    refuse_odd_parts(row, place=place)
    for name, kind in (("name", str), ("key", str), ("setting", dict), ("data", dict)):
        _require(isinstance(row[name], kind), f"{place}{name}", row[name], f"a {kind.__name__}")


def _refuse_odd_stage(stage: Any, place: str, *, num_origins: int) -> None:
    _require(isinstance(stage, dict), place, stage, "an object")
    for name in ("name", "key"):
        _require(isinstance(stage.get(name), str), f"{place}.{name}", stage.get(name), "a text")
    if num_origins:
        origin = stage.get("origin")
        held = isinstance(origin, int) and not isinstance(origin, bool) and 0 <= origin < num_origins
        _require(held, f"{place}.origin", origin, f"a place among {num_origins} origins")
    for name in ("code", "weights"):
        _require(isinstance(stage.get(name, ""), str | None), f"{place}.{name}", stage.get(name), "a text or null")


def _refuse_odd_cost(cost: Any, place: str) -> None:
    _require(isinstance(cost, dict), place, cost, "an object")
    for name in ("name", "key"):
        _require(isinstance(cost.get(name), str), f"{place}.{name}", cost.get(name), "a text")
    for name in ("seconds", "flops", "tokens"):
        number = isinstance(cost.get(name), int | float) and not isinstance(cost.get(name), bool)
        _require(number, f"{place}.{name}", cost.get(name), "a number")


def _require_texts(part: Any, place: str) -> None:
    _require(isinstance(part, dict), place, part, "an object")
    for name, value in part.items():
        _require(isinstance(value, str), f"{place}.{name}", value, "a text")


def _require(holds: bool, place: str, value: Any, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{place} is {value!r:.{MOST_SHOWN}}, which is not {wanted}")
