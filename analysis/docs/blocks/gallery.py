"""A block with every figure of a study: its finding, a small picture, and the one command that draws it.

<!-- generated: quickstart gallery -->        pictures and digests of their data in docs/gallery/
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.docs.blocks.tables import no_words
from analysis.docs.registry import PUBLISHED, Part, Picture, Reference, makes
from analysis.figures.drawing import Drawing
from rft.archive.reading import REFERENCES


@makes("gallery")
def gallery(study: Reference, words: Sequence[str]) -> list[Part]:
    """The figures in their order. Raises ValueError for a study that has none."""
    no_words(words)
    parts: list[Part] = []
    for drawing in study.drawings:
        if isinstance(drawing, Drawing):
            parts += [
                f"### {drawing.title}",
                f"    {command(study, drawing)}",
                Picture(drawing, study.folder.name, small=True),
            ]
    if not parts:
        raise ValueError(f"{study.folder} allows no figure")
    return parts


def command(study: Reference, drawing: Drawing) -> str:
    """What draws that figure alone."""
    name = study.folder.name
    given = "--paper" if name == PUBLISHED else f"{REFERENCES}/{name}"
    return f"rft plot {given} --figure {drawing.name} --out figures"
