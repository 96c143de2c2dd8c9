"""Pages with generated blocks: what their text and figures should be, from the committed studies.

site = Site(Path("."))
wanted = site.wanted()             # every generated file, by path: pages, figures' data, fits, claims
site.differences(wanted)           # ['README.md: quickstart results']
site.write(wanted)
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.docs.registry import BENCH, BLOCKS, EVERY, PUBLISHED, Benchmarks, Part, Picture, Published, Reference
from analysis.study import claims_text, fits_of
from analysis.style import DPI
from rft.archive.reading import ABOUT_FILE, REFERENCES
from rft.records import read_json

PICTURES = Path("docs")
BLOCK = re.compile(r"(<!-- generated: ([^\n]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
OPENING = "<!-- generated:"
SMALL_DPI, COLOURS = 90, 160  # of a gallery
TOLERANCE = 1e-6  # relative, of fits: processors differ in last bits


@dataclass(frozen=True)
class Wanted:
    """What the generated files should hold."""

    blocks: Mapping[Path, Mapping[str, str]]  # page -> marker -> text
    pictures: Mapping[Path, Picture]
    texts: Mapping[Path, str]
    fits: Mapping[Path, Any]


class Site:
    """The pages of a repository and its committed studies."""

    def __init__(self, root: Path) -> None:
        """`root`: the folder with README.md."""
        self.root = root
        self._read: dict[Path, Reference] = {}

    def pages(self) -> list[Path]:
        """README.md and docs/*.md."""
        return [self.root / "README.md", *sorted((self.root / "docs").glob("*.md"))]

    def studies(self) -> list[Path]:
        """The folders of the committed studies."""
        return sorted(path.parent for path in (self.root / REFERENCES).glob(f"*/{ABOUT_FILE}"))

    def study(self, name: str) -> Reference:
        """A committed study by name, the published one, or the benchmarks. Raises ValueError where there is none."""
        if name == PUBLISHED:
            return self._read.setdefault(Path(name), Published())
        folder = self.root / REFERENCES / name
        if name == BENCH:
            return self._read.setdefault(folder, Benchmarks(folder))
        if folder not in self.studies():
            known = ", ".join(path.name for path in self.studies()) or "none"
            raise ValueError(f"{name} is no study of {REFERENCES} (there are: {known}): archive it with rft archive")
        return self._read.setdefault(folder, Reference(folder))

    def wanted(self) -> Wanted:
        """Make every block, figure, table of claims and list of fits. Raises ValueError, naming page and marker."""
        blocks: dict[Path, dict[str, str]] = {}
        pictures: dict[Path, Picture] = {}
        for page in self.pages():
            for marker in markers(page):
                made = self._made(page, marker)
                parts = [self._shown(page, part, pictures) for part in (made if isinstance(made, list) else [made])]
                blocks.setdefault(page, {})[marker] = "\n\n".join(parts) + "\n"
        studies = [self.study(folder.name) for folder in self.studies()]
        return Wanted(
            blocks,
            pictures,
            {study.folder / "claims.md": claims_text(study.claims, notes=study.notes) for study in studies},
            {study.folder / "fits.json": fits_of(study.drawings) for study in studies},
        )

    def _shown(self, page: Path, part: Part, pictures: dict[Path, Picture]) -> str:
        """Markdown of a part; a figure is entered among the pictures to be drawn."""
        if isinstance(part, str):
            return part
        path = self.root / PICTURES / part.file
        if pictures.setdefault(path, part).study != part.study:
            raise ValueError(f"{page}: {path.name} is a figure of two studies: show one of them")
        return f"![{part.drawing.title}, {part.study} study]({path.relative_to(page.parent)})"

    def _made(self, page: Path, marker: str) -> Part | list[Part]:
        try:
            if len(marker.split()) < 2:
                raise ValueError("a marker is <!-- generated: STUDY BLOCK -->")
            name, block, *words = marker.split()
            if name == EVERY:
                return self._of_every(block, words)
            return BLOCKS[block](self.study(name), words)
        except ValueError as error:
            raise ValueError(f"{page}: block {marker!r}: {error}") from error

    def _of_every(self, block: str, words: Sequence[str]) -> str:
        """A block for the published study and each committed one, under their names."""
        parts = []
        for name in (PUBLISHED, *(folder.name for folder in self.studies())):
            made = BLOCKS[block](self.study(name), words)
            if not isinstance(made, str):
                raise ValueError("a figure is of one study: name it")
            parts.append(f"## {name[0].upper()}{name[1:]}\n\n{made}")
        return "\n\n".join(parts)

    def differences(self, wanted: Wanted) -> list[str]:
        """What stands in the generated files and should not, a line each."""
        found = []
        for page, blocks in wanted.blocks.items():
            there = {match[2]: match[3] for match in BLOCK.finditer(page.read_text(encoding="utf-8"))}
            found += [f"{page.name}: {marker}" for marker, text in blocks.items() if there[marker] != text]
        for path, picture in wanted.pictures.items():
            if not path.is_file() or _json(path.with_suffix(".json")) != sidecar(picture):
                found.append(f"{path.name}: drawn from other data")
        found += [_named(path) for path, text in wanted.texts.items() if _text(path) != text]
        return found + [_named(path) for path, fits in wanted.fits.items() if not close(_json(path), fits)]

    def write(self, wanted: Wanted) -> None:
        """Write all of it."""
        for page, blocks in wanted.blocks.items():
            text = page.read_text(encoding="utf-8")
            page.write_text(filled(text, blocks), encoding="utf-8")
        for path, picture in wanted.pictures.items():
            path.parent.mkdir(exist_ok=True)
            picture.drawing.figure.savefig(path, dpi=SMALL_DPI if picture.small else DPI)
            if picture.small:
                _few_colours(path)
            _write_json(path.with_suffix(".json"), sidecar(picture))
        for path, text in wanted.texts.items():
            path.write_text(text, encoding="utf-8")
        for path, fits in wanted.fits.items():
            _write_json(path, fits)


def _few_colours(path: Path) -> None:
    """Rewrite a PNG with a palette: a third of its size."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def filled(text: str, blocks: Mapping[str, str]) -> str:
    """A page's text with its blocks filled."""
    return BLOCK.sub(lambda match: f"{match[1]}{blocks[match[2]]}{match[4]}", text)


def markers(page: Path) -> list[str]:
    """The markers of a page's blocks. Raises ValueError for one without its end, or that stands there twice."""
    text = page.read_text(encoding="utf-8")
    found = [match[2] for match in BLOCK.finditer(text)]
    if len(found) != text.count(OPENING) or any(OPENING in match[3] for match in BLOCK.finditer(text)):
        raise ValueError(f"{page}: a generated block has no <!-- end -->")
    if len(set(found)) < len(found):
        raise ValueError(f"{page}: a generated block stands there twice: {found}")
    return found


def sidecar(picture: Picture) -> dict[str, str]:
    """What a figure is of, with a digest of all that it shows."""
    shown = [picture.drawing.finding, picture.drawing.words]
    for axes in picture.drawing.figure.axes:
        shown += [str(axes.get_title()), str(axes.get_xlabel()), str(axes.get_ylabel())]
        parts = [line.get_xydata() for line in axes.get_lines()]
        parts += [
            segment for lines in axes.collections if hasattr(lines, "get_segments") for segment in lines.get_segments()
        ]
        shown += [f"{number:.5g}" for part in parts for number in np.asarray(part, float).ravel()]
    digest = hashlib.sha256("\n".join(shown).encode()).hexdigest()
    return {"study": picture.study, "figure": picture.drawing.name, "data": digest}


def close(one: Any, other: Any) -> bool:
    """Whether two values of JSON are one but for the last bits of their numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}: differs from what the records give"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _json(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
