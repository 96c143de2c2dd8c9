"""The document that the page starts from: every cell with what it can be filtered by, and every point with its intervals.

    index_of(study)["points"]["scores"]["maj1@1"]      # {"value": [41.2, ...], "low": [...], "high": [...]}

Columns are coded: `values` are the distinct texts in order, `codes` say which one each cell has (-1: the key means nothing
for it). So 10,000 cells come in some hundred kilobytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis.explore.opened import Opened
from analysis.figures.accuracy import loss_label
from analysis.figures.costs import point_cost
from analysis.load.cells import ACCURACY, Cell
from analysis.load.labels import method_rank, method_title, setting_label
from analysis.load.names import value_text
from analysis.load.points import Point, accuracy_interval, score_of, share_interval
from analysis.report.solutions import seeds_text
from analysis.tables.results import field_text

VERSION = 1
AXES = {
    "num_human": "human training examples",
    "data_frac": "share of the human set",
    "k": "k, draws per question and donor",
    "flops": "FLOPs beyond pretraining",
    "seconds": "device seconds beyond pretraining",
}


def index_of(study: Opened) -> dict[str, Any]:
    """The document."""
    return {
        "version": VERSION,
        "title": study.title,
        "notes": list(study.table.notes),
        "missing": [[gap.study, gap.cell_id, gap.reason] for gap in study.table.missing],
        "cells": {
            "ids": [cell.cell_id for cell in study.cells],
            "keys": keys(study.cells),
            "titles": study.titles,
            "accuracy": [_percent(cell, ACCURACY) for cell in study.cells],
            "sizes": [0 if cell.accuracy is None else cell.accuracy.n for cell in study.cells],
        },
        "columns": columns(study),
        "points": points(study),
    }


def keys(cells: Sequence[Cell]) -> list[str]:
    """What each cell is called in addresses: its id, where several have one with their test set, else with a number."""
    ids = Counter(cell.cell_id for cell in cells)
    names = [cell.cell_id if ids[cell.cell_id] == 1 else f"{cell.cell_id}@{cell.test_set}" for cell in cells]
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def _percent(cell: Cell, name: str) -> float | None:
    score = cell.scores.get(name)
    return None if score is None else round(100 * score.value, 4)


def columns(study: Opened) -> list[dict[str, Any]]:
    """What cells are filtered by: base and method always, else what takes several values."""
    cells = study.cells
    texts: dict[str, list[str | None]] = {
        "base": [study.names[cell.base] for cell in cells],
        "method": [method_title(cell) for cell in cells],
        "data": [_text(cell.data_frac) for cell in cells],
        "k": [_text(cell.k) for cell in cells],
        "donors": [str(len(cell.union)) if cell.union else None for cell in cells],
        "test set": [cell.test_set for cell in cells],
        "study": [cell.study for cell in cells],
    }
    texts |= {name: [field_text(cell, key) or None for cell in cells] for key, name in study.extra.items()}
    texts["seeds"] = [seeds_text(cell.seeds) or None for cell in cells]
    kept = {n: t for n, t in texts.items() if n in ("base", "method") or len(set(t) - {None}) > 1}
    orders = {"base": list(study.names.values()), "method": list(map(method_title, sorted(cells, key=method_rank)))}
    return [{"name": name, **coded(found, order=orders.get(name))} for name, found in kept.items()]


def _text(value: Any) -> str | None:
    return None if value is None else value_text(value)


def coded(texts: Sequence[str | None], *, order: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Values in the given order, or numbers by size and then words, and the code of each text."""
    values = list(dict.fromkeys(order or sorted({text for text in texts if text is not None}, key=_natural)))
    place = {value: code for code, value in enumerate(values)}
    return {"values": values, "codes": [-1 if text is None else place[text] for text in texts]}


def _natural(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def points(study: Opened) -> dict[str, Any]:
    """Settings with their cells, axes and scores, as analysis.load.points estimates them; numbers in percent."""
    found = study.points
    names = sorted(
        {name for point in found for cell in point.cells for name in cell.scores}, key=lambda n: (n != ACCURACY, n)
    )
    return {
        "cells": [[study.places[id(cell)] for cell in point.cells] for point in found],
        "labels": [_label(point, study) for point in found],
        "holds": [point.estimate.kind.value for point in found],
        "draws": [point.estimate.num_draws for point in found],
        "axes": axes(found),
        "scores": {name: _scores(name, study) for name in names},
    }


def _label(point: Point, study: Opened) -> str:
    parts = (study.names[point.cell.base], setting_label(point.cell), study.also(point.cell))
    return ", ".join(text for text in parts if text)


def axes(found: Sequence[Point]) -> list[dict[str, Any]]:
    """The x of every point on every axis that two points differ on; null where it means nothing."""
    costs = [point_cost(point) for point in found]
    values: dict[str, list[float | None]] = {
        "num_human": [point.mean_of("num_human") for point in found],
        "data_frac": [point.cell.data_frac for point in found],
        "k": [point.cell.k for point in found],
        "flops": [None if cost is None else cost.flops for cost in costs],
        "seconds": [None if cost is None else cost.seconds for cost in costs],
    }
    titles = dict(AXES)
    texts = sorted({point.cell.loss_text or "" for point in found if point.loss is not None})
    for text in texts:  # losses on different texts never share an axis
        name = "loss" if len(texts) == 1 else f"loss {text}"
        own = [point for point in found if (point.cell.loss_text or "") == text]
        titles[name] = loss_label(own).replace("\n", " ")
        values[name] = [point.loss if (point.cell.loss_text or "") == text else None for point in found]
    return [
        {"name": name, "title": titles[name], "log": not name.startswith("loss"), "values": [_finite(x) for x in xs]}
        for name, xs in values.items()
        if any(xs)
    ]


def _scores(name: str, study: Opened) -> dict[str, list[float | None]]:
    columns: dict[str, list[float | None]] = {"value": [], "low": [], "high": []}
    for point in study.points:
        estimate = point.estimate if name == ACCURACY else score_of(point.cells, name, study.outcomes)
        value, low, high = math.nan, math.nan, math.nan
        if estimate is not None:
            value = estimate.value
            low, high = (accuracy_interval if name == ACCURACY else share_interval)(estimate)
        for column, number in zip(columns.values(), (value, low, high), strict=True):
            column.append(_finite(number))
    return columns


def _finite(value: float | None) -> float | None:
    """JSON has no NaN; seven digits are more than a page shows."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.7g}")
