"""A block that is a figure of a study: `docs/NAME.png`, with a digest of the data behind it in `docs/NAME.json`.

<!-- generated: quickstart figure accuracy_vs_data -->
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.docs.registry import Picture, Reference, makes
from analysis.figures.drawing import Drawing


@makes("figure")
def figure(study: Reference, words: Sequence[str]) -> Picture:
    """A figure by its name. Raises ValueError for one that the study does not allow."""
    drawn = {drawing.name: drawing for drawing in study.drawings if isinstance(drawing, Drawing)}
    if len(words) != 1 or words[0] not in drawn:
        raise ValueError(f"{study.folder} has the figures {', '.join(drawn)}: name one, not {' '.join(words)!r}")
    return Picture(drawn[words[0]], study.folder.name)
