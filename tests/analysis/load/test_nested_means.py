"""Numbers of a setting are means over draws of the base of means over replicates, wherever they are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.calibration import reached
from analysis.figures.drawing import Drawing
from analysis.figures.histograms import path_histograms
from analysis.load.cells import Cell, Table
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.tables.grids import paper_tables
from analysis.tables.results import results_rows
from rft.records import Score

NESTED = (4.0 + 1.0) / 2  # distinct paths of the two draws; (3 * 4 + 1) / 4 = 3.25 over cells


@pytest.fixture
def uneven(tmp_path: Path) -> tuple[Table, Outcomes]:
    """Draw 0 has three replicates and finds four paths a question, draw 1 one replicate and one path."""
    one = {"models": ("nano-s",), "fracs": (1.0,), "ks": (4,), "methods": ("rft",)}
    specs = [{**spec, "pretrain_seed": 0} for spec in grid(**one, seeds=range(3))]
    specs += [{**spec, "pretrain_seed": 1} for spec in grid(**one, seeds=(9,))]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=40))
    table, outcomes = verified(load_studies([folder]))

    def found(cell: Cell) -> Cell:
        number = 4 if cell.seeds["pretrain_seed"] == 0 else 1
        counts = tuple(40 * (i == number) for i in range(5))
        return replace(
            cell, distinct_per_question=float(number), distinct_per_question_with_human=number + 1.0,
            num_augmented=100.0 * number,
            histograms={"correct": counts, "distinct": counts}, scores={"maj1@1": Score(number / 10, 20, 0.1)},
        )  # fmt: skip

    return replace(table, cells=tuple(map(found, table.cells))), outcomes


def test_the_results_table_has_the_means_of_the_other_tables(uneven: tuple[Table, Outcomes]) -> None:
    header, ((*row,),) = results_rows(*uneven)
    assert row[header.index("distinct/q")] == f"{NESTED:.2f}"
    assert row[header.index("added")] == f"{100 * NESTED:.0f}"
    grids = paper_tables(*uneven)
    assert grids["table2"].rows[0][1] == row[header.index("distinct/q")]
    assert (
        dict(zip(grids["table1"].header, grids["table1"].rows[0], strict=True))["distinct paths/q"] == f"{NESTED:.2f}"
    )


def test_what_was_never_scored_is_averaged_too(uneven: tuple[Table, Outcomes]) -> None:
    """Pools that are sampled and not trained on have no accuracy, and stand in the results table alone."""
    table, outcomes = uneven
    pools = tuple(replace(cell, scores={}) for cell in table.cells)
    header, ((*row,),) = results_rows(Table(pools), outcomes)
    assert row[header.index("distinct/q")] == f"{NESTED:.2f}"


def test_histograms_have_the_mean_of_the_tables(uneven: tuple[Table, Outcomes]) -> None:
    drawing = path_histograms(make_points(uneven[0].cells, Outcomes({}, {})))
    assert isinstance(drawing, Drawing)
    assert [fit["mean"] for fit in drawing.fits] == [pytest.approx(NESTED)] * 2
    bars = [bar.get_height() for bar in drawing.figure.axes[0].patches]
    assert bars == pytest.approx([0, 50, 0, 0, 50]), "half of the draws have one path, half four"
    assert {fit["questions"] for fit in drawing.fits} == {160}


def test_statistics_of_calibration_are_of_draws(uneven: tuple[Table, Outcomes]) -> None:
    """Replicates of one draw count once, in accuracies too."""
    cells = uneven[0].cells
    assert reached(cells)["distinct_with_human", 4] == pytest.approx(NESTED + 1)
    trained = [replace(cell, setting={**cell.setting, "method": "sft"}) for cell in cells]
    assert reached(trained)["sft_accuracy", None] == pytest.approx(10 * NESTED)
