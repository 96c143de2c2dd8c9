"""The analysis of a study by whichever code PYTHONPATH names, figures written to a folder: seconds of its parts.

python tests/bench/analysis_work.py STUDY OUT
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path


def measure(folder: Path, out: Path) -> dict[str, float]:
    """Seconds of each part, as the command goes about it."""
    marks = {"start": time.perf_counter()}
    from analysis.claims.run import run_claims, study_view
    from analysis.load.checks import verified
    from analysis.load.points import make_points
    from analysis.load.studies import load_studies
    from analysis.study import draw_all, save_drawings

    table, outcomes = verified(load_studies([folder]))
    marks["load"] = time.perf_counter()
    points = make_points(table.cells, outcomes)
    claims = run_claims(study_view(points, outcomes))
    marks["fit"] = time.perf_counter()
    save_drawings(draw_all(points, outcomes, claims=claims), out=out)
    marks["draw"] = time.perf_counter()
    names = list(marks)
    return {name: marks[name] - marks[before] for before, name in pairwise(names)}


if __name__ == "__main__":
    print(measure(Path(sys.argv[1]), Path(sys.argv[2])))
