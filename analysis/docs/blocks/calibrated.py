"""A block of how near the embedded world comes to the paper's statistics: those of SFT and of samples, target and reached.

<!-- generated: calibration calibrated -->
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.calibration import by_setting, table
from analysis.docs.blocks.tables import no_words
from analysis.docs.registry import Reference, makes
from analysis.load.cells import draws_of_bases


@makes("calibrated")
def calibrated(study: Reference, words: Sequence[str]) -> str:
    """The table. Raises ValueError for a study without a pool of samples."""
    no_words(words)
    cells = study.table.cells
    if not by_setting(cells):
        raise ValueError(f"{study.folder} has no cell that draws samples from its own SFT model: nothing to compare")
    draws = sum(map(len, draws_of_bases(cells).values()))
    star = f"Means over the draws of the base, {draws} in all. A star: outside the tolerance."
    return "\n\n".join([table(cells), star, *study.table.notes])
