"""What two studies or two cells differ in, as text: configuration, code and packages, data, scores, outcomes.

print(diff_text(Path("multirun_outputs/old"), Path("multirun_outputs/new"), flips=5))
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from analysis.compare.comparisons import holm, mcnemar
from analysis.diff.sides import Matched, Side, both, greedy_texts, match, read_side, record_of, values_of
from analysis.load.cells import Cell
from analysis.load.outcomes import Outcomes
from analysis.tables.results import align
from rft.changes import changed_values
from rft.records import Record

WIDTH = 110
OF_MACHINE = ("commit", "dirty", "python", "platform", "cpu", "cpu_capability", "gpu", "device", "threads", "numerics")
SAME = "the same"


def diff_text(a: Path, b: Path, *, flips: int) -> str:
    """The comparison; `flips` is how many problems are shown with their texts. Raises ValueError for what is no study."""
    first, second = read_side(a), read_side(b)
    matched, outcomes = match(first.cells, second.cells), both(first, second)
    if len(first.cells) == len(second.cells) == 1:
        return "\n".join(_cells(*matched.pairs[0], outcomes, flips=flips))
    return "\n".join(_studies(first, second, matched, outcomes))


def _cells(a: Cell, b: Cell, outcomes: Outcomes, *, flips: int) -> Iterator[str]:
    one, other = record_of(a), record_of(b)
    yield f"A: {a.folder}"
    yield f"B: {b.folder}"
    yield from _section("configuration", changed_values(values_of(a), values_of(b)))
    yield from _section("code, packages, machine", _versions([one], [other]))
    yield from _section("data", changed_values(_flat(one.data), _flat(other.data)))
    yield from _section("model", changed_values(one.model, other.model))
    scores = [{name: _percent(score.value) for name, score in {**c.scores, **c.rates}.items()} for c in (a, b)]
    yield from _section("scores and rates", changed_values(*scores))
    yield from _outcomes(a, b, outcomes, flips=flips)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"{title}: {'' if lines else SAME}".rstrip()
    yield from (f"  {line}" for line in lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= (
            {f"{name}.{inner}": one for inner, one in _flat(value).items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return found


def _versions(a: Sequence[Record], b: Sequence[Record]) -> list[str]:
    """What made the stages: each value that one side has and the other has not."""
    return changed_values(_made(a), _made(b))


def _made(records: Sequence[Record]) -> dict[str, Any]:
    found: dict[str, set[str]] = {}
    for record in records:
        for origin in record.provenance.get("origins", []):
            values = {name: origin.get(name) for name in OF_MACHINE} | dict(origin.get("versions", {}))
            for name, value in values.items():
                found.setdefault(name, set()).add("none" if value is None else str(value))
        for row in record.stages:
            found.setdefault(f"code of {row['name']}", set()).add(str(row.get("code") or "unknown")[:8])
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def _outcomes(a: Cell, b: Cell, outcomes: Outcomes, *, flips: int) -> Iterator[str]:
    found, tested = outcomes.matrix([a, b]), mcnemar(a, b, outcomes)
    if found is None or tested is None:
        yield "outcomes: they share no problem, or the outcomes of one are not at hand"
        return
    ids, (right_a, right_b) = found
    only_a, only_b, p = tested
    yield (
        f"outcomes: of {len(ids):,} shared problems {int(np.sum(right_a & right_b)):,} are right in both, "
        f"{int(np.sum(~right_a & ~right_b)):,} in neither, {only_a:,} in A alone, {only_b:,} in B alone"
    )
    yield f"  exact McNemar test of these two checkpoints: p = {p:.3g} (no verdict about new draws: rft plot)"
    texts = greedy_texts(a), greedy_texts(b)
    for title, flipped in (("right in A alone", right_a & ~right_b), ("right in B alone", ~right_a & right_b)):
        names = [name for name, is_flipped in zip(ids, flipped, strict=True) if is_flipped]
        yield from _flipped(title, names, texts, most=flips)


def _flipped(
    title: str, names: Sequence[str], texts: tuple[Mapping[str, Any], Mapping[str, Any]], *, most: int
) -> Iterator[str]:
    told = [name for name in names if name in texts[0] and name in texts[1]]
    if not names:
        return
    yield f"{title}: {len(names):,} problems; the texts of {len(told):,} are stored, {min(most, len(told)):,} shown"
    for name in told[:most]:
        one, other = texts[0][name], texts[1][name]
        yield from _wrapped(f"{name}: {one['question']} [{one['gold']}]", indent=2)
        yield from _wrapped(f"A ({one['outcome']}): {one['text']}", indent=4)
        yield from _wrapped(f"B ({other['outcome']}): {other['text']}", indent=4)


def _wrapped(text: str, *, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=space, subsequent_indent=f"{space}  ")


def _studies(a: Side, b: Side, matched: Matched, outcomes: Outcomes) -> Iterator[str]:
    yield f"A: {a.folder}: {len(a.cells)} cells"
    yield f"B: {b.folder}: {len(b.cells)} cells"
    yield from _section("configuration of all cells", matched.changed)
    records = [[record_of(cell) for cell in side.cells] for side in (a, b)]
    yield from _section("code, packages, machine", _versions(*records))
    for name, cells in (("A", matched.only_a), ("B", matched.only_b)):
        if cells:
            yield from _section(f"cells in {name} alone", [cell.cell_id for cell in cells])
    for side, name in ((a, "A"), (b, "B")):
        if side.table.missing:
            yield from _section(f"missing in {name}", [f"{gap.cell_id}: {gap.reason}" for gap in side.table.missing])
    if not matched.pairs:
        yield "no cell of A has the setting and the seeds of one of B: give two cells, STUDY/CELL, to compare them"
        return
    others = [pair for pair in matched.pairs if not _is_same(*pair, outcomes)]
    num_same = len(matched.pairs) - len(others)
    yield f"cells in both: {len(matched.pairs)}, {num_same} of them the same in scores and outcomes"
    if others:
        yield _table(others, outcomes)


def _is_same(a: Cell, b: Cell, outcomes: Outcomes) -> bool:
    mine, theirs = outcomes.get(a), outcomes.get(b)
    letters = [None if one is None else (one.ids, one.letters) for one in (mine, theirs)]
    rows = [{name: asdict(score) for name, score in {**cell.scores, **cell.rates}.items()} for cell in (a, b)]
    return rows[0] == rows[1] and letters[0] == letters[1]


def _table(pairs: Sequence[tuple[Cell, Cell]], outcomes: Outcomes) -> str:
    """A row a pair; p of the exact McNemar test, and Holm's over all rows."""
    tests = [mcnemar(a, b, outcomes) for a, b in pairs]
    adjusted = iter(holm([one[2] for one in tests if one is not None]))
    rows = []
    for (a, b), found in zip(pairs, tests, strict=True):
        shares = [_percent(cell.accuracy.value) if cell.accuracy is not None else "" for cell in (a, b)]
        counts = (
            ["", "", "", ""]
            if found is None
            else [str(found[0]), str(found[1]), f"{found[2]:.2g}", f"{next(adjusted):.2g}"]
        )
        rows.append([a.cell_id, *shares, *counts])
    header = ["cell in A", "A", "B", "right in A alone", "right in B alone", "p (McNemar)", "p (Holm)"]
    return align(header, rows, left=1)
