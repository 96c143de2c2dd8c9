"""The document of one cell: configuration, scores, cost, provenance, curve, counts, and every text that its folder holds.

    cell_of(study, 3, questions)["texts"][0]
    # {"question": 0, "source": "greedy", "parts": [["sum ", null], ["<<4+3=7>>", true]], "outcome": "wrong", ...}
    draws_of(study, 3, questions)["rows"][0]
    # {"question": 0, "outcomes": "CWN", "answers": ["51", "50", null], "paths": [0, 1, null]}

What a file lacks is null; what cannot be read is named in `faults`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.compare.costs import cost_of
from analysis.explore.inside import checked
from analysis.explore.opened import Opened
from analysis.explore.questions import Questions
from analysis.load.cells import TEST_SET, Cell
from rft.archive.files import json_at, present, rows_at
from rft.records import CELL_CURVE_FILE, NOT_CHOSEN, OUTCOMES_FILE, PATHS_FILE, RECORD_FILE, SHOWN_FILE

Row = dict[str, Any]
OF_TEXT = ("source", "model", "draw", "outcome", "kept", "reason")
OF_PATH = ("model", "draw", "key")


def cell_of(study: Opened, place: int, questions: Questions) -> Row:
    """The document. It names the cell by its place, questions by theirs."""
    cell = study.cells[place]
    assert cell.folder is not None
    record = json_at(checked(study.roots[cell.folder], cell.folder / RECORD_FILE))
    faults: list[str] = []

    def read(role: str, name: str, row: Callable[[Mapping[str, Any]], Row]) -> list[Row] | None:
        try:
            path = study.file(cell, role, name)
            return [row(found) for found in rows_at(path)] if present(path) else None
        except (ValueError, OSError, EOFError, KeyError, TypeError) as error:
            faults.append(f"{name}: {error}")
            return None

    def text_of(row: Mapping[str, Any], names: tuple[str, ...]) -> Row:
        parts = [list(part) for part in study.marks(str(row["text"]))]
        return {"question": questions.place[row["id"]], "parts": parts, **{name: row.get(name) for name in names}}

    texts = read("samples", SHOWN_FILE, lambda row: text_of(row, OF_TEXT))
    paths = read("paths", PATHS_FILE, lambda row: text_of(row, OF_PATH))
    return {
        "id": cell.cell_id,
        "title": study.titles[place],
        "study": cell.study,
        "folder": cell.folder.name,
        "test_set": cell.test_set,
        "names": cell.names,
        "setting": {key: value for key, value in cell.setting.items() if key != TEST_SET or value is not None},
        "seeds": cell.seeds,
        "model": record["model"],
        "data": record["data"],
        "scores": {name: dataclasses.asdict(score) for name, score in cell.scores.items()},
        "rates": {name: dataclasses.asdict(score) for name, score in cell.rates.items()},
        "cost": [dataclasses.asdict(stage) for stage in cell.cost],
        "making": None if (cost := cost_of(cell)) is None else dataclasses.asdict(cost),
        "provenance": cell.provenance,
        "greedy": read("outcomes", OUTCOMES_FILE, lambda row: _greedy(row, questions)),
        "texts": texts if texts is None or paths is None else _chosen(cell, texts, paths),
        "paths": paths,
        "curve": read("curve", CELL_CURVE_FILE, dict),
        "has_draws": len(cell.scores) > 1,
        "only_sized": only_sized(cell),
        "faults": faults,
    }


def only_sized(cell: Cell) -> bool:
    """Whether the kept paths fixed only how much the cell trains on, as of a control: its model is made without them."""
    selections = [stage.makes for stage in cell.cost if stage.name == "select"]
    return bool(selections) and all(makes is False for makes in selections)


def _chosen(cell: Cell, texts: Sequence[Row], paths: Sequence[Row]) -> list[Row]:
    """Texts as a chooser left them: cells of before say of a path that it left out that it was kept."""
    left = {(path["question"], path["model"], path["draw"]) for path in paths}
    if not any(stage.name == "choose" for stage in cell.cost):
        return list(texts)
    gone = {"kept": False, "reason": NOT_CHOSEN}
    return [
        row | gone if row["kept"] and (row["question"], row["model"], row["draw"]) not in left else row for row in texts
    ]


def _greedy(row: Mapping[str, Any], questions: Questions) -> Row:
    greedy = row["greedy"]
    return {
        "question": questions.place[row["id"]],
        "outcome": greedy["outcome"],
        "answer": greedy.get("answer"),
        "kind": greedy.get("kind"),
    }


def draws_of(study: Opened, place: int, questions: Questions) -> Row:
    """The sampled answers of one cell to the test problems; without texts, which no study folder holds."""
    return {"rows": list(_draws(study, study.cells[place], questions))}


def _draws(study: Opened, cell: Cell, questions: Questions) -> Iterator[Row]:
    path: Path = study.file(cell, "outcomes", OUTCOMES_FILE)
    for row in rows_at(path) if present(path) else ():
        if draws := row.get("draws"):
            yield {
                "question": questions.place[row["id"]],
                **{n: draws.get(n) for n in ("outcomes", "answers", "paths")},
            }
