"""Cells of a second recipe beside a study change no number of the first, wherever it is printed, and are named as left out.

The intruders are absurdly right, find absurdly many paths and cost absurdly much: one that is looked up, averaged or drawn in
the place of a cell of the main recipe is seen in any table, figure, claim or plan. The order of a manifest changes nothing.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import claims_details, claims_table, run_claims, study_view
from analysis.figures.drawing import Drawing
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.plan.planner import TARGETS, next_runs
from analysis.study import draw_all, draw_study
from analysis.tables.grids import OF_ALL_SETTINGS, OF_ONE_RECIPE, paper_tables
from analysis.tables.matched import compared, matched_rows
from analysis.tables.results import results_rows
from rft.records import read_json, write_json

TRUE = Truth(num_items=40, num_full=32)
ABSURD = Truth(
    num_items=40, num_full=32, at_full=93.0, per_loss=0.0, per_doubling=0.3, icl=91.0, rft_at_1=-3.0, rft_per_k=-1.0
)
MODELS = ("nano-s", "nano-m", "nano-l")
DONORS, OTHERS = ["nano-s", "nano-m"], ["nano-xs", "nano-l"]
NEW_KEY = "a.key.of.next.year"


def ladders(**changes: Any) -> list[dict[str, Any]]:
    """RFT and its controls on all data."""
    methods = ("rft", "sft_matched", "oracle_paths", "fresh_human")
    return [{**spec, **changes} for spec in grid(models=MODELS, fracs=(1.0,), ks=(2, 4, 8), methods=methods)]


def main_specs() -> list[dict[str, Any]]:
    """Two replicates of all that a figure, a table or a claim is made of."""
    specs = grid(models=MODELS, fracs=(0.25, 0.5, 1.0), ks=(2, 4, 8), methods=("icl", "sft", "rft"))
    specs += [spec for spec in ladders() if spec["method"] != "rft"]
    full = [{"model": model, "seed": 0, "data_frac": 1.0} for model in MODELS]
    specs += [{**spec, "method": "self_revise", "k": None} for spec in full]
    specs += [{**spec, "method": "rft", "k": 4, "policy": "no_dedup"} for spec in full]
    unions = [{**spec, "method": "rft", "k": k, "union": DONORS} for spec in full for k in (1, 2)]
    specs += unions + [{**spec, "thin": "own"} for spec in unions]
    specs += [{**spec, "method": "rft", "k": 2, "union": [*DONORS, "nano-l"]} for spec in full]
    return [{**spec, "seed": seed, NEW_KEY: 5} for seed in range(2) for spec in specs]


def trained(**changes: Any) -> list[dict[str, Any]]:
    return [{**spec, **changes} for spec in grid(models=MODELS, ks=(2, 16), methods=("sft", "rft"))]


INTRUDERS: dict[str, list[dict[str, Any]]] = {
    "train.lr": trained(**{"train.lr": 1.0, NEW_KEY: 5}),
    "temperature": ladders(temperature=1.3, **{NEW_KEY: 5}),
    "select.policy": ladders(policy="balanced", **{NEW_KEY: 5}),
    "union": [
        {**spec, "method": "rft", "k": k, "union": OTHERS, NEW_KEY: 5, **more}
        for spec in ({"model": model, "seed": 0, "data_frac": 1.0} for model in MODELS)
        for k in (1, 2)
        for more in ({}, {"thin": "own"})
    ],
    NEW_KEY: [
        {**spec, NEW_KEY: 6} for spec in grid(models=MODELS, ks=(2, 8), methods=("icl", "sft", "rft", "sft_matched"))
    ],
    "a.key.that.others.lack": [  # a key that the others lack
        spec for spec in trained(**{"a.key.that.others.lack": 4, NEW_KEY: 5}) if spec["k"] != 16
    ],
    "data.world.human_style": ladders(human_style=0.0, **{NEW_KEY: 5}),
    "train.examples_frac": trained(examples_frac=0.5, **{NEW_KEY: 5}),
}


def absurd(row: dict[str, Any]) -> None:
    """Counts and costs that no cell of the main recipe has."""
    if row["data"]["distinct_per_question"] is not None:
        row["data"] |= {"distinct_per_question": 31.0 + row["setting"]["k"], "correct_per_question": 77.0}
        row["data"]["histograms"] = {"correct": [0, 0, 9], "distinct": [0, 9]}
    for stage in row["cost"]:
        stage["seconds"] *= 1e6


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Manifest entries of the main study and of every kind of intruder, by absolute folder."""
    root = tmp_path_factory.mktemp("recipes")
    found = {}
    for number, (name, specs) in enumerate({"main": main_specs(), **INTRUDERS}.items()):
        truth = TRUE if name == "main" else ABSURD
        folder = write_study(root / name, specs=specs, truth=truth, rng_seed=number, vote_k=4, paths=True)
        for path in folder.glob("*/record.json") if name != "main" else ():
            row = read_json(path)
            absurd(row)
            write_json(path, row)
        entries = read_json(folder / "study.json")["cells"]
        found[name] = [{**entry, "folder": str(folder / entry["folder"])} for entry in entries]
    return found


def study_of(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Path:
    """A study folder of these cells, in this order, each under the same folder name whatever the order."""
    folder.mkdir()
    rows = []
    for entry in entries:
        source = Path(entry["folder"])
        name = f"{source.parent.name}-{source.name}"
        shutil.copytree(source, folder / name)
        rows.append({"cell_id": entry["cell_id"], "folder": name})
    write_json(folder / "study.json", {"schema_version": 2, "study": "mixed", "group": "mixed", "cells": rows})
    return folder


def plotted(drawing: Drawing) -> Any:
    """All that a figure's panels show in numbers and words, without its caption."""
    return [
        [
            *(panel.get_title(), panel.get_xlabel(), panel.get_ylabel(), panel.get_xlim(), panel.get_ylim()),
            *(line.get_xydata().tolist() for line in panel.lines),
            *(patch.get_path().vertices.tolist() for patch in panel.patches),
            *([path.vertices.tolist() for path in part.get_paths()] for part in panel.collections),
            *(text.get_text() for text in panel.texts),
        ]
        for panel in drawing.figure.axes
    ]


def of_one_recipe(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """(everything that is said of one recipe; the texts that stand beside it)."""
    table, outcomes = verified(load_studies([folder]))
    points = make_points(table.cells, outcomes)
    drawings = [d for d in draw_all(points, outcomes) if isinstance(d, Drawing)]
    claims = {"study": run_claims(study_view(points, outcomes))}
    grids = {name: grid for name, grid in paper_tables(table, Outcomes({}, {})).items() if name in OF_ONE_RECIPE}
    main = main_recipe(points)
    said = {
        "plots": {d.name: plotted(d) for d in drawings},
        "fits": {d.name: repr(d.fits) for d in drawings},
        "claims": claims_table(claims) + claims_details(claims),
        "tables": {name: (grid.header, grid.rows) for name, grid in grids.items()},
        "plans": {target: str(next_runs(main.points, outcomes, target=target)) for target in TARGETS},
    }
    beside = [d.words for d in drawings] + [grid.markdown() for grid in grids.values()]
    return said, [*beside, *(grid.latex() for grid in grids.values())]


def of_all_settings(folder: Path) -> dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Tables with a row for every setting."""
    table, outcomes = verified(load_studies([folder]))
    grids = paper_tables(table, Outcomes({}, {}))
    found = {name: (grids[name].header, grids[name].rows) for name in OF_ALL_SETTINGS if name in grids}
    found |= {
        "results": results_rows(table, Outcomes({}, {})),
        "matched": matched_rows(compared(make_points(table.cells, outcomes), outcomes)),
    }
    return {name: (tuple(header), [tuple(row) for row in rows]) for name, (header, rows) in found.items()}


@pytest.fixture(scope="module")
def alone(studies: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study_of(tmp_path_factory.mktemp("alone") / "s", studies["main"])


@pytest.fixture(scope="module")
def plain(alone: Path) -> dict[str, Any]:
    said, beside = of_one_recipe(alone)
    assert set(said["tables"]) == set(OF_ONE_RECIPE)
    assert not any("left out:" in text for text in beside)
    return said


def mixtures() -> dict[str, tuple[str, ...]]:
    return {**{name: (name,) for name in INTRUDERS}, "all of them": tuple(INTRUDERS)}


@pytest.mark.parametrize("mixture", mixtures())
def test_a_second_recipe_changes_no_number_and_is_named(
    mixture: str, studies: dict[str, list[dict[str, Any]]], plain: dict[str, Any], tmp_path: Path
) -> None:
    names = mixtures()[mixture]
    entries = [entry for name in (*names, "main") for entry in studies[name]]  # the intruders first
    said, beside = of_one_recipe(study_of(tmp_path / "s", entries))
    if mixture == "all of them":
        assert of_one_recipe(study_of(tmp_path / "t", entries[::-1])) == (said, beside)
    drawn_against_style = {"exchange_against"}  # shows human_style, so has its other values
    for part in ("plots", "fits"):
        for name, shown in plain[part].items():
            assert name in drawn_against_style or said[part][name] == shown, f"{part} of {name}"
    for part in ("claims", "tables", "plans"):
        assert said[part] == plain[part], part
    for text in beside:
        for key in names:
            assert f"{key} = " in text or f"{key} = ".replace("_", r"\_") in text, (key, text)


@pytest.mark.parametrize("mixture", mixtures())
def test_a_table_of_all_settings_has_a_row_for_each_that_tells_it_apart(
    mixture: str, studies: dict[str, list[dict[str, Any]]], alone: Path, tmp_path: Path
) -> None:
    entries = [entry for name in (*mixtures()[mixture], "main") for entry in studies[name]]
    mixed = study_of(tmp_path / "s", entries)
    before, after = of_all_settings(alone), of_all_settings(mixed)
    for name, (header, rows) in before.items():
        places = [after[name][0].index(column) for column in header if column != "also"]
        kept = Counter(tuple(row[i] for i in places) for row in after[name][1])
        mine = Counter(tuple(row[header.index(column)] for column in header if column != "also") for row in rows)
        assert not mine - kept, f"{name} lost or changed {mine - kept}"
        telling = [tuple(row[i] for i, column in enumerate(after[name][0]) if _tells(column)) for row in after[name][1]]
        assert len(set(telling)) == len(telling), f"{name} has rows that nothing tells apart"
    cells = load_studies([mixed]).cells
    assert len(after["results"][1]) == len({(cell.base, cell.setting_key) for cell in cells})
    assert _filled(after["table5"]) == len({(cell.base, cell.setting_key) for cell in cells})


def _tells(column: str) -> bool:
    """Whether a column says what a row is of, and not what was found."""
    found = (
        "%",
        "seeds",
        "n",
        "added",
        "distinct/q",
        "RFT - SFT",
        "verdict",
        "to separate",
        "numbers",
        "difference",
        "maj",
    )
    return not any(column == word or (len(word) > 1 and word in column) or "%" in column for word in found)


def _filled(table: tuple[tuple[str, ...], list[tuple[str, ...]]]) -> int:
    """Numbers in table 5: one for each setting."""
    return sum(bool(field) for row in table[1] for field in row[table[0].index("also") + 1 :])


def test_the_order_of_a_manifest_changes_no_byte(studies: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    entries = [entry for found in studies.values() for entry in found if entry in found[::2]]
    orders = [entries[::-1], random.Random(5).sample(entries, len(entries))]
    written = []
    for number, order in enumerate(orders):
        folder, out = study_of(tmp_path / "s", order), tmp_path / f"out{number}"
        with pictures("svg"):
            draw_study([folder], out=out, report=True)
        written.append({path.name: _without_places(path, out) for path in out.iterdir()})
        shutil.rmtree(folder)
    for name, content in written[0].items():
        assert all(other[name] == content for other in written[1:]), name
    assert {"claims.md", "fits.json", "records.csv", "report.html", "summary.txt", "table1.md"} <= set(written[0])


def _without_places(path: Path, out: Path) -> bytes:
    """A file's bytes without where it lies; of the summary not the first line, the fingerprint of what was drawn."""
    content = path.read_bytes().replace(str(out).encode(), b"OUT")
    return content.split(b"\n", 1)[1] if path.name == "summary.txt" else content


def test_equally_common_values_are_chosen_by_value_and_not_by_order(tmp_path: Path) -> None:
    """Of null and a number null, the default; of two numbers the less; of more replicates these."""
    sft = {"model": "nano-s", "seed": 0, "method": "sft", "data_frac": 1.0, "k": None}

    def kept(*specs: dict[str, Any]) -> set[Any]:
        chosen = set()
        for number, order in enumerate((specs, specs[::-1])):
            folder = tmp_path / f"s{len(list(tmp_path.iterdir()))}-{number}"
            write_study(folder, specs=list(order), truth=TRUE)
            points = make_points(*_cells(folder))
            chosen |= {point.cell.setting["a.key"] for point in main_recipe(points[::-1]).points}
            chosen |= {point.cell.setting["a.key"] for point in main_recipe(points).points}
        return chosen

    values = [{**sft, "a.key": value} for value in (10, 9, None, "x")]
    assert kept(*values[:2]) == {9}
    assert kept(*values) == {None}
    assert kept(*values, {**sft, "a.key": 10, "seed": 1}) == {10}


def _cells(folder: Path) -> tuple[tuple[Cell, ...], Any]:
    table, outcomes = verified(load_studies([folder]))
    return table.cells, outcomes
