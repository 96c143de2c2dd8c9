"""Predict the larger cells of studies from the smaller ones, then look: what `rft predict` runs.

    rft predict multirun_outputs/mine                             # every cut of every series
    rft predict multirun_outputs/mine --hold-out model=nano-l     # one; also data_frac=1, k=16,64
    rft predict multirun_outputs/mine --hold-out k=256            # not measured yet: a prediction alone
    rft predict --paper --out figures                             # the published study

Prints tables and writes OUT/prediction.csv and OUT/prediction.png; OUT is DIR/figures by default.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.load.outcomes import Outcomes
    from analysis.load.points import Point
    from analysis.predict.rows import HoldOut

CSV_FILE = "prediction.csv"


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, predict, print; 2 with a message for what cannot be read or named."""
    parser = argparse.ArgumentParser(
        prog="rft predict", description="Predict larger cells from smaller ones, then look."
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="study folders")
    parser.add_argument(
        "--hold-out", metavar="KEY=VALUE", help="model=NAME, data_frac=NUMBER or k=NUMBER (default: every cut)"
    )
    parser.add_argument("--paper", action="store_true", help="the published study")
    parser.add_argument(
        "--test-set", metavar="NAME", help="the test set whose scores are predicted (default: each cell's own)"
    )
    parser.add_argument("--sweep", metavar="N", help="the cells of one sweep alone, by its number, or latest")
    parser.add_argument("--out", type=Path, help="folder for the table and the figure (default: DIR/figures)")
    options = parser.parse_args(arguments)
    if bool(options.folders) == options.paper:
        parser.error("give one or more study folders, or --paper")
    if options.out is None and len(options.folders) != 1:
        parser.error("give --out OUT with --paper or with more than one folder")
    try:
        out = options.out or options.folders[0] / "figures"
        print(
            predict_studies(
                options.folders, hold_out=options.hold_out, test_set=options.test_set, sweep=options.sweep, out=out
            )
        )
    except (ValueError, OSError) as error:
        print(f"rft predict: {error}", file=sys.stderr)
        return 2
    return 0


def predict_studies(
    folders: Sequence[Path],
    *,
    out: Path,
    hold_out: str | None = None,
    test_set: str | None = None,
    sweep: str | None = None,
) -> str:
    """The text to print, with table and figure written into `out`; the published study where no folder is given.

    Raises ValueError for a folder that is no study, and for a hold-out that no cell has.
    """
    from analysis.claims.run import published_view
    from analysis.load.checks import verified
    from analysis.load.points import make_points
    from analysis.load.recipes import main_recipe
    from analysis.load.studies import load_studies
    from analysis.predict.rows import HoldOut

    asked = None if hold_out is None else HoldOut.parse(hold_out)
    if not folders:
        return _shown(published_view().points, published_view().outcomes, asked, about="The published study.", out=out)
    table, outcomes = verified(load_studies(folders, test_set=test_set, sweep=sweep))
    main_points = main_recipe(make_points(table.cells, outcomes))
    sets = ", ".join(sorted({cell.test_set for cell in table.cells}))
    gone = f" {len(table.missing)} cells are missing." if table.missing else ""
    about = f"Test set: {sets}. {main_points}{gone}"
    return _shown(main_points.points, outcomes, asked, about=about, out=out)


def _shown(points: Sequence[Point], outcomes: Outcomes, asked: HoldOut | None, *, about: str, out: Path) -> str:
    from analysis.figures.drawing import Drawing
    from analysis.predict.figure import prediction_figure
    from analysis.predict.report import report, tables
    from analysis.predict.rows import every_row, named_rows
    from analysis.study import save_figure
    from analysis.tables.results import wrap
    from rft.whole import write_text

    rows = every_row(points, outcomes) if asked is None else named_rows(points, outcomes, asked)
    if not rows:
        raise ValueError(
            "no two settings of these cells differ in model, data_frac or k alone: there is nothing to fit"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / CSV_FILE, tables(rows, points, outcomes).held.comma_separated())
    drawing = prediction_figure(rows)
    figure = save_figure(drawing, out=out) if isinstance(drawing, Drawing) else wrap(f"no figure: {drawing}")
    return "\n".join([report(rows, points, outcomes, about=about), f"table: {out / CSV_FILE}", figure])
