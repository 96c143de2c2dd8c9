"""A block of benchmarks: of each the latest committed row, beside its peer, its limit and what it should reach.

<!-- generated: bench speed -->                          all
<!-- generated: bench speed plan sampling -->            these, in this order, without what both sides did
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.docs.blocks.tables import text_of
from analysis.docs.registry import Reference, makes
from analysis.tables.grids import Grid
from rft.records import read_jsonl

HEADER = ("benchmark", "ours", "peer", "unit", "ratio", "to reach", "limit", "of limit", "pairs")
NOTE = (
    "Ratio: ours over the peer's, the median of alternating pairs in one run. Units of a rate: more is better; of seconds, "
    "milliseconds and bytes: less. CPU: processor seconds of all processes, which others on the machine lengthen less than "
    "wall clock. Limit: what the machine itself does, measured in the same run."
)


@makes("speed")
def speed(study: Reference, words: Sequence[str]) -> str:
    """The table, and where it was measured. Raises ValueError for a benchmark that no committed row has."""
    rows = latest(study)
    if not rows:
        return "No row is committed yet: `make bench` measures."
    unknown = [name for name in words if name not in rows]
    if unknown:
        raise ValueError(f"no benchmark {unknown}; there are {', '.join(rows)}")
    shown = [rows[name] for name in words or rows]
    grid = Grid("Speed", HEADER, tuple(map(_cells, shown)))
    details = [] if words else ["\n".join(f"- `{row['name']}`: {_told(row)}" for row in shown)]
    return text_of(grid, NOTE, *details, _origin(shown))


def latest(study: Reference) -> dict[str, Mapping[str, Any]]:
    """Of each benchmark the last row of the last file."""
    return {row["name"]: row for path in sorted(study.folder.glob("*.jsonl")) for row in read_jsonl(path)}


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = [_number(row.get(name)) for name in ("ours", "peer")]
    return (row["name"], *numbers, row["unit"], _number(row.get("ratio")), _goal(row), *(
        _number(row.get(name)) for name in ("limit", "of_limit", "n")
    ))  # fmt: skip


def _goal(row: Mapping[str, Any]) -> str:
    if row.get("must") is not None:
        return f"ratio {_number(row['must'])}"
    return f"{_number(row['must_be'])} {row['unit']}" if row.get("must_be") is not None else ""


def _told(row: Mapping[str, Any]) -> str:
    against = f"; peer: {row['against']}" if row.get("against") else ""
    limit = f"; limit: {row['limit_is']}" if row.get("limit_is") else ""
    return f"{row.get('work') or row['name']}{against}{limit} ({row['date']}, commit {row['commit']})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _origin(rows: Sequence[Mapping[str, Any]]) -> str:
    days, commits, machines = (
        ", ".join(dict.fromkeys(str(row[name]) for row in rows)) for name in ("date", "commit", "machine")
    )
    return (
        f"Measured {days}, commit {commits}, {machines}. Rows: `multirun_outputs/reference/bench`; `make bench` again."
    )
