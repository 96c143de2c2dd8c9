"""The report as one HTML file.

    write_report(Material("quickstart", table, points, outcomes, claims, drawings), path=out / "report.html")

Drawing the report takes the captions off the figures: save them elsewhere first.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.claims.rulings import ClaimResult
from analysis.figures.drawing import Drawing
from analysis.load.cells import Table
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.report import sections
from analysis.report.findings import findings
from analysis.report.markup import Markup, escape, join, tag
from analysis.report.solutions import solutions
from analysis.stats.linear import NotEnough
from analysis.tables.grids import Grid
from analysis.tables.matched import compared
from rft.whole import write_text

HERE = Path(__file__).parent
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class Material:
    """What a report is made of."""

    title: str
    table: Table
    points: Sequence[Point]  # the study's own, without an overlay
    outcomes: Outcomes
    claims: Mapping[str, Sequence[ClaimResult]]  # by study, the reader's own first
    drawings: Sequence[Drawing | NotEnough]
    absent: Sequence[str] = field(default=())  # figures that cannot be drawn, with the reason
    notes: str = ""  # what figures and claims leave out
    sets: Grid | None = None  # accuracy by test set, where the study has several


def write_report(material: Material, *, path: Path) -> None:
    """Write the file. UTF-8, no reference to anything outside it."""
    write_text(path, page(material))


def page(material: Material) -> str:
    """The file's text."""
    study = material.table
    names = base_names(study.cells)
    shown = solutions(study.cells, names=names)
    against = compared(material.points, material.outcomes)
    mine = next(iter(material.claims.values()))
    found = findings(study, material.points, against=against, claims=mine)
    results = sections.results_section(study, material.points, material.outcomes, against=against, sets=material.sets)
    first = next((drawing for drawing in material.drawings if isinstance(drawing, Drawing)), None)
    rest = [drawing for drawing in material.drawings if drawing is not first]
    parts = {
        "findings": ("What was found", sections.findings_section(found, first)),
        "figures": ("Figures", sections.figures_section(rest, absent=material.absent, notes=material.notes)),
        "tables": ("Results", results),
        "claims": ("Claims", sections.claims_section(material.claims, cells=study.cells, notes=material.notes)),
        "fits-section": ("Fits", sections.fits_section(material.drawings)),
        "missing": ("Missing cells", sections.missing_section(study)),
        "plan": ("Plan and cost", sections.plan_section(study, material.points, material.outcomes)),
        "solutions": ("Sampled solutions", _browser(shown)),
        "provenance": ("Provenance", sections.provenance_section(study)),
    }
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    values = {
        "title": escape(material.title),
        "summary": escape(_summary(study, bases=len(names))),
        "navigation": join([tag("a", title, href=f"#{name}") for name, (title, _) in parts.items()]),
        "sections": join([_section(name, title, body) for name, (title, body) in parts.items()]),
        "data": data_block(shown),
        "style": style,
        "script": script,
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '{_hash(script)}'",
    }
    template = (HERE / "template.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)  # one pass: values are not templates


def data_block(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _section(name: str, title: str, body: Markup) -> Markup:
    return tag("section", tag("h2", title, id=f"{name}-title"), body, id=name, aria_labelledby=f"{name}-title")


def _summary(study: Table, *, bases: int) -> str:
    settings = len({cell.setting_key for cell in study.cells})
    text = f"cells: {len(study.cells):,}, settings: {settings:,}, base models: {bases:,}"
    sizes = sorted({score.n for cell in study.cells if (score := cell.accuracy) is not None})
    if sizes:
        text += f", test problems: {' to '.join(f'{n:,}' for n in sorted({sizes[0], sizes[-1]}))}"
    return text + f", missing cells: {len(study.missing) or 'none'}"


def _browser(shown: Mapping[str, object]) -> Markup:
    """Where the script puts the browser of solutions."""
    cells, problems = shown["cells"], shown["problems"]
    assert isinstance(cells, list)
    assert isinstance(problems, list)
    notes = [tag("p", f"Unreadable: {problem}", class_="note") for problem in problems]
    if not cells:
        return join([tag("p", "The study holds no sampled solutions."), *notes])
    held = sum(cell["total"] for cell in cells)
    rows = sum(len(cell["rows"]) for cell in cells)
    text = f"{rows:,} of the {held:,} solutions that the cells' sample files show, of {len(cells):,} cells."
    script = tag("noscript", tag("p", "Browsing solutions needs JavaScript."))
    return join([tag("p", text), script, tag("div", id="browser"), *notes])
