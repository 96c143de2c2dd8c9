"""From study folders to saved figures and a printed summary: what `plot_scaling.py` and the end of a study run call.

text = draw_study([Path("multirun_outputs/quickstart")], out=Path("multirun_outputs/quickstart/figures"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.comparisons import matched_summary
from analysis.figures.accuracy import accuracy_against_data, accuracy_against_loss
from analysis.figures.drawing import Drawing
from analysis.figures.paths import accuracy_against_k, distinct_against_k
from analysis.linear import NotEnough
from analysis.outcomes import Outcomes, load_outcomes
from analysis.points import Point, make_points
from analysis.records import load_studies
from analysis.style import DPI
from analysis.tables import records_csv, results_table
from rft.records import write_json


def draw_study(folders: Sequence[Path], *, out: Path, paper: bool = False, overlay: bool = False) -> str:
    """Load, fit, draw, save; returns the text to print. Raises ValueError when a folder is no study."""
    table = load_studies(folders)
    outcomes = load_outcomes(table.cells)
    points = make_points(table.cells, outcomes)
    drawings = draw_all(points, outcomes)
    lines = [results_table(table), ""]
    lines += [f"{path.name}: {reason}" for path, reason in outcomes.unreadable.items()]
    lines += [matched_summary(points, outcomes), "", *save_drawings(drawings, out=out)]
    (out / "records.csv").write_text(records_csv(table), encoding="utf-8")
    return "\n".join(lines)


def draw_all(points: Sequence[Point], outcomes: Outcomes) -> list[Drawing | NotEnough]:
    """Every figure of a study, or why there is none."""
    return [
        accuracy_against_data(points, outcomes),
        accuracy_against_loss(points),
        accuracy_against_k(points, outcomes),
        distinct_against_k(points),
    ]


def save_drawings(drawings: Sequence[Drawing | NotEnough], *, out: Path) -> list[str]:
    """Write PNG, SVG and fits.json; returns one line per figure."""
    out.mkdir(parents=True, exist_ok=True)
    lines, fits = [], []
    for drawing in drawings:
        if isinstance(drawing, NotEnough):
            lines.append(f"no figure: {drawing}")
            fits.append({"not_enough_data": str(drawing)})
            continue
        for ending in ("png", "svg"):
            drawing.figure.savefig(out / f"{drawing.name}.{ending}", dpi=DPI, metadata=_no_date(ending))
        fits += [{"figure": drawing.name, **entry} for entry in drawing.fits]
        lines.append(f"figure: {out / drawing.name}.png (.svg)")
    write_json(out / "fits.json", {"schema_version": 1, "fits": fits})
    return [*lines, f"fits: {out / 'fits.json'}"]


def _no_date(ending: str) -> dict[str, Any]:
    return {"Date": None} if ending == "svg" else {}
