"""Where a figure is to be shown: on a screen, in a column or over the width of a paper's page, on a slide.

    page = PAGES["column"]
    page.columns_for(7)          # 2: panels beside one another
    page.size(width=9.4, height=4.3, rows=1, columns=2)      # inches, and how the panels stand: Grid(3.25, 5.9, 2, 1)

A column and the full width are those of two-column proceedings (3.25 and 6.75 inches), a slide is 16:9 as LaTeX's beamer has
it (16 by 9 cm), with the first lines of the caption.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CM = 1 / 2.54


@dataclass(frozen=True)
class Grid:
    """Inches of a figure, rows and columns of its panels."""

    width: float
    height: float
    rows: int
    columns: int


@dataclass(frozen=True)
class Page:
    """A place with a width of its own."""

    name: str
    font: float  # points
    width: float | None = None  # inches; None: as wide as the figure's panels ask for
    height: float | None = None  # inches; None: as high as they ask for
    most_columns: int = 3
    caption_lines: int | None = None  # as many at most; None: all
    dpi: int = 200

    def columns_for(self, count: int) -> int:
        """How many of some panels stand beside one another."""
        if self.most_columns == 2 and count == 2:
            return 1  # two panels over the column's whole width read better than two halves
        rows = math.ceil(count / self.most_columns)
        return math.ceil(count / rows)

    def size(self, *, width: float, height: float, rows: int, columns: int, keep_grid: bool = False) -> Grid:
        """Of a figure that asks for so many inches: a row of panels is broken where the page is narrow."""
        if self.width is None:
            return Grid(width, height, rows, columns)
        shown = self.columns_for(columns) if rows == 1 and columns > 1 and not keep_grid else columns
        lines = math.ceil(rows * columns / shown)
        factor = self.width * columns / (width * shown)
        return Grid(self.width, self.height or height * factor * lines / rows, lines, shown)


SCREEN = Page("screen", font=8.5)
PAGES = {
    page.name: page
    for page in (
        SCREEN,
        Page("column", font=6.5, width=3.25, most_columns=2, dpi=300),
        Page("full", font=7.5, width=6.75, dpi=300),
        Page("slide", font=8.0, width=16 * CM, height=9 * CM, most_columns=5, caption_lines=2, dpi=300),
    )
}
