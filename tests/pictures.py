"""Drawings without all their picture files, for tests of what is written beside them: files take most of the time of one.

    with pictures(): draw_study([folder], out=out)                    # tables, claims, fits, report; no picture
    with pictures("png", "svg"): draw_study([folder], out=out)        # of the forms PNG, SVG and PDF these alone

All forms are drawn and looked at in tests/analysis/figures/test_all_figures.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from analysis import study
from analysis.figures.drawing import Drawing


@contextmanager
def pictures(*endings: str) -> Iterator[None]:
    """Save figures in these forms alone."""
    forms = {ending: study.FORMS[ending] for ending in endings}

    def unsaved(drawing: Drawing, *, out: object) -> str:
        return f"figure: {out}/{drawing.name}.png{study.OTHER_FORMS}"

    with patch.object(study, "FORMS", forms) if forms else patch.object(study, "save_figure", unsaved):
        yield
