"""From study folders to saved figures and a printed summary: what `plot_scaling.py` and the end of a study run call.

    text = draw_study([Path("multirun_outputs/quickstart")], out=Path("multirun_outputs/quickstart/figures"))

With `report=True` the same parts also become one HTML file, OUT/report.html (analysis.report).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis import paper
from analysis.claims.rulings import ClaimResult
from analysis.claims.run import (
    claims_details,
    claims_table,
    published_claims,
    published_view,
    run_claims,
    study_view,
)
from analysis.figures.drawing import Drawing
from analysis.figures.registry import FIGURES, Supplies, draw_figures
from analysis.load.cells import Table
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points, unscored_point
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_every_set, load_studies, test_sets
from analysis.report.page import REPORT_FILE, Material, write_report
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from analysis.style import caption, headline
from analysis.tables.grids import Grid, paper_tables
from analysis.tables.matched import matched_summary
from analysis.tables.noise import noise_summary
from analysis.tables.results import records_csv, results_table, wrap
from analysis.tables.sets import sets_table
from rft.archive.files import on_disk
from rft.records import FAILURE_FILE, OUTCOMES_FILE, PATHS_FILE, RECORD_FILE, SHOWN_FILE, STUDY_FILE, write_json
from rft.registry import load_plugins
from rft.whole import refuse_linked, write_bytes, write_text

OF_SETS = "outcomes-*.jsonl.gz"  # outcomes on further test sets
READ_FILES = (STUDY_FILE, RECORD_FILE, FAILURE_FILE, OUTCOMES_FILE, OF_SETS, PATHS_FILE)
SOURCES = (".py", ".csv", ".html", ".css", ".js")  # of the analysis itself
PLAIN_NAME = re.compile(r"[\w-]+\.[a-z]+")  # of a file directly in the folder
TABLES_LINE = "tables (.md, .tex, .csv): "  # of a summary
FORMS: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}  # without the time
OTHER_FORMS = " (.svg, .pdf)"
SUMMARY_FILE = "summary.txt"  # first line: the digest of what was drawn and printed; then what was printed


@dataclass(frozen=True)
class Shown:
    """Which part of a study is drawn, and for where."""

    test_set: str | None = None  # None: each cell's own
    sweep: str | None = None  # a number, or latest; None: all
    page: Page = SCREEN  # where the figures are to be shown
    figure: str | None = None  # this one alone, without tables and claims; None: all


def draw_study(
    folders: Sequence[Path],
    *,
    out: Path,
    paper_alone: bool = False,
    overlay: bool = False,
    report: bool = False,
    plugins: Sequence[str] = (),
    part: Shown = Shown(),
) -> str:
    """Load, fit, draw, save; returns the text to print. Raises ValueError when a folder is no study.

    `plugins`: modules that register figures of their own.
    """
    load_plugins(plugins)
    if paper_alone:
        return draw_paper(out=out, report=report, part=part)
    for folder in folders:
        refuse_linked(out, inside=folder)
    if part.figure is not None:
        return draw_one(folders, out=out, overlay=overlay, part=part)
    stamp = fingerprint(folders, overlay=overlay, report=report, part=part)
    known = unchanged_summary(out, stamp=stamp)
    if known is not None:
        return known
    earlier = drawn_files(out)
    text = _draw_folders(folders, out=out, overlay=overlay, report=report, part=part)
    for stale in earlier - set(drawn_in(text, out=out)):
        stale.unlink(missing_ok=True)
    write_text(out / SUMMARY_FILE, f"{_sealed(stamp, text)}\n{text}\n")
    return text


def draw_one(folders: Sequence[Path], *, out: Path, overlay: bool, part: Shown) -> str:
    """One figure alone; its name is checked first. Raises ValueError where the study does not allow it, with the reason."""
    assert part.figure is not None
    FIGURES[part.figure]
    table, outcomes = verified(load_studies(folders, test_set=part.test_set, sweep=part.sweep))
    own, beside = make_points(table.cells, outcomes), published_beside() if overlay else []
    return _save_one(draw_all(own, outcomes, beside=beside, page=part.page, only=part.figure), out=out)


def published_beside() -> list[Point]:
    """The published study for drawing beside another: its names say that it is published."""
    points = published_view().points
    return [replace(p, cells=tuple(replace(cell, beside=True) for cell in p.cells)) for p in points]


def _save_one(drawings: Sequence[Drawing | NotEnough], *, out: Path) -> str:
    if not drawings:
        raise ValueError("this figure is drawn of the published study alone: give --paper")
    (drawing,) = drawings
    if isinstance(drawing, NotEnough):
        raise ValueError(f"no figure: {drawing}")
    out.mkdir(parents=True, exist_ok=True)
    return save_figure(drawing, out=out)


def _draw_folders(folders: Sequence[Path], *, out: Path, overlay: bool, report: bool, part: Shown) -> str:
    table, outcomes = verified(load_studies(folders, test_set=part.test_set, sweep=part.sweep))
    every = load_every_set(folders, sweep=part.sweep)
    own = make_points(table.cells, outcomes)
    about = part_words(table, every, part)
    lines = [*([wrap(about), ""] if about else []), results_table(table, outcomes), ""]
    lines += [f"{path}: {reason}" for path, reason in outcomes.unreadable.items()]
    lines += [matched_summary(own, outcomes), ""]
    noise = noise_summary(main_recipe(own).points, outcomes)
    lines += [noise, ""] if noise else []
    notes = " ".join(text for text in (about, str(main_recipe(own))) if text)
    lines += [wrap(notes), ""] if notes else []
    results = run_claims(study_view(own, outcomes))
    beside = published_beside() if overlay else []
    drawn = draw_all(own, outcomes, beside=beside, claims=results, page=part.page)
    drawings = [_noted(drawing, about) for drawing in drawn]
    lines += save_drawings(drawings, out=out)
    sets = sets_table(*verified(every)) if len(test_sets(every)) > 1 else None
    mine = f"this study on {', '.join(shown_sets(table))}" if sets is not None else "this study"
    claims = {mine: results, "published": published_claims()}
    lines += write_texts(table, outcomes, claims, out=out, notes=notes, sets=sets)
    if report:
        title = ", ".join(sorted({cell.study for cell in table.cells} or {folder.name for folder in folders}))
        material = Material(title, table, own, outcomes, claims, drawings, notes=notes, sets=sets)
        lines.append(_write_report(material, out=out))
    return "\n".join(lines)


def shown_sets(table: Table) -> list[str]:
    """Names of the test sets that the cells of a table were scored on: one, where studies of several data are not mixed."""
    return sorted({cell.test_set for cell in table.cells})


def part_words(table: Table, every: Table, part: Shown) -> str:
    """Which test set and which sweep are shown, where the study has others; '' where it has not."""
    shown = shown_sets(table)
    others = [name for name in test_sets(every) if name not in shown]
    words = f"Test set: {', '.join(shown)} alone" if others else ""
    words += f" (others, by --test-set: {', '.join(others)})." if others else ""
    return " ".join(text for text in (words, f"Of sweep {part.sweep} alone." if part.sweep else "") if text)


def _write_report(material: Material, *, out: Path) -> str:
    path = out / REPORT_FILE
    write_report(material, path=path)
    return f"report: {path}"


def drawn_files(out: Path) -> set[Path]:
    """Figures and tables of the last drawing into a folder, as its summary names them."""
    path = out / SUMMARY_FILE
    return drawn_in(path.read_text(encoding="utf-8"), out=out) if path.is_file() else set()


def drawn_in(summary: str, *, out: Path) -> set[Path]:
    """Figures and tables that a summary names, in all their forms."""
    lines = summary.splitlines()
    figures = [
        Path(line.partition(": ")[2].removesuffix(OTHER_FORMS)).stem for line in lines if line.startswith("figure: ")
    ]
    tables = [
        name for line in lines if line.startswith(TABLES_LINE) for name in line.removeprefix(TABLES_LINE).split(", ")
    ]
    found = {f"{name}.{ending}" for name in figures for ending in FORMS}
    found |= {f"{name}.{ending}" for name in tables for ending in ("md", "tex", "csv")}
    return {
        out / name for name in found if PLAIN_NAME.fullmatch(name)
    }  # a summary is a file that anyone may have edited


def fingerprint(folders: Sequence[Path], *, overlay: bool, report: bool, part: Shown = Shown()) -> str:
    """Digest of what a drawing rests on: the study's files by name, size and time, and the analysis' own source."""
    digest = hashlib.sha256(repr((overlay, report, part, [str(f) for f in folders])).encode())
    read = (*READ_FILES, SHOWN_FILE, "samples-*.jsonl") if report else READ_FILES
    for folder in folders:
        for path in on_disk(folder, read):
            stat = path.stat()
            digest.update(f"{path}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    for source in sorted(p for p in Path(__file__).parent.rglob("*.*") if p.suffix in SOURCES):
        digest.update(source.read_bytes())
    digest.update(repr([(name, FIGURES.foreign(name)) for name in FIGURES]).encode())  # plug-ins lie elsewhere
    return digest.hexdigest()


def unchanged_summary(out: Path, *, stamp: str) -> str | None:
    """The summary of the last drawing if nothing has changed since and its figures are there."""
    path = out / SUMMARY_FILE
    if not path.is_file():
        return None
    known, _, text = path.read_text(encoding="utf-8").partition("\n")
    made = [
        Path(line.partition(": ")[2].removesuffix(OTHER_FORMS))
        for line in text.splitlines()
        if line.startswith(("figure: ", "report: "))
    ]
    return text.rstrip("\n") if known == _sealed(stamp, text) and all(path.is_file() for path in made) else None


def _sealed(stamp: str, text: str) -> str:
    """The first line of a summary: what the drawing rests on and what it said, so that an edited one is drawn again."""
    return hashlib.sha256(f"{stamp}\n{text.rstrip()}".encode()).hexdigest()


def draw_paper(*, out: Path, report: bool = False, part: Shown = Shown()) -> str:
    """The published study redrawn and re-fitted."""
    view = published_view()
    if part.figure is not None:
        return _save_one(draw_all(view.points, view.outcomes, page=part.page, only=part.figure), out=out)
    drawn = draw_all(view.points, view.outcomes, claims=published_claims(), page=part.page)
    drawings = [d for d in drawn if isinstance(d, Drawing)]
    lines = save_drawings(drawings, out=out)
    absent = [f"{name}: {why}" for name, why in paper.NEVER_PUBLISHED.items()]
    lines += [wrap(f"no figure: {text}") for text in absent]
    table, claims = paper.paper_table(), {"published": published_claims()}
    lines += write_texts(table, view.outcomes, claims, out=out)
    if report:
        title = "The published study, redrawn"
        material = Material(title, table, view.points, view.outcomes, claims, drawings, absent)
        lines.append(_write_report(material, out=out))
    return "\n".join(lines)


def draw_all(
    points: Sequence[Point],
    outcomes: Outcomes,
    *,
    beside: Sequence[Point] = (),
    claims: Sequence[ClaimResult] | None = None,
    page: Page = SCREEN,
    only: str | None = None,
) -> list[Drawing | NotEnough]:
    """Every figure (or `only` one) under its title, or why there is none; of a measured study its commonest recipe.

    `beside`: published points to draw as series of their own, which no title, fit or ruling of the study rests on.
    `claims`: as ruled on `points`, for the titles; ruled here where not given.
    """
    main = main_recipe([point for point in points if point.cell.source is None])
    shown = [*main.points, *(point for point in points if point.cell.source is not None)]
    published = all(point.cell.source for point in shown) and bool(shown)
    view = published_view() if published else study_view(shown, outcomes)
    supplies = Supplies(
        points=shown,
        every_recipe=points,
        outcomes=outcomes,
        view=view,
        pools=[unscored_point(cell) for cell in paper.unused_pools()] if published else [],
        published=published,
        page=page,
        claims={result.claim: result for result in (run_claims(view) if claims is None else claims)},
    )
    note = str(main)
    drawn = draw_figures(supplies, beside=beside, only=only)
    return [_titled(_noted(drawing, note if figure.of_one_recipe else ""), page) for figure, drawing in drawn]


def _titled(drawing: Drawing | NotEnough, page: Page) -> Drawing | NotEnough:
    """With its title and name above it."""
    if isinstance(drawing, NotEnough):
        return drawing
    headline(drawing.figure, drawing.finding, name=drawing.title, page=page)
    return drawing


def _noted(drawing: Drawing | NotEnough, note: str) -> Drawing | NotEnough:
    """With what the figure leaves out said under it."""
    if not note or isinstance(drawing, NotEnough):
        return drawing
    noted = replace(drawing, note=f"{drawing.note} {note}".strip())
    caption(noted.figure, noted.words)
    return noted


def save_drawings(drawings: Sequence[Drawing | NotEnough], *, out: Path) -> list[str]:
    """Write PNG, SVG, PDF and fits.json; returns one line per figure."""
    out.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for drawing in drawings:
        if isinstance(drawing, NotEnough):
            lines.append(wrap(f"no figure: {drawing}"))
            continue
        lines.append(save_figure(drawing, out=out))
    write_json(out / "fits.json", fits_of(drawings))
    return [*lines, f"fits: {out / 'fits.json'}"]


def save_figure(drawing: Drawing, *, out: Path) -> str:
    """Write PNG, SVG and PDF, the same bytes for the same figure; returns the line that says so."""
    drawing.figure.draw_without_rendering()  # lays out once; each save would otherwise do it again
    drawing.figure.set_layout_engine(None)  # and not "none": with that placeholder matplotlib draws twice for each save
    for ending, metadata in FORMS.items():
        drawn = io.BytesIO()
        drawing.figure.savefig(drawn, format=ending, dpi="figure", metadata=metadata)
        write_bytes(out / f"{drawing.name}.{ending}", drawn.getvalue())
    return f"figure: {out / drawing.name}.png{OTHER_FORMS}"


def fits_of(drawings: Sequence[Drawing | NotEnough]) -> dict[str, Any]:
    """What fits.json holds: an entry for each series of each figure, or why there is no figure."""
    fits: list[dict[str, Any]] = []
    for drawing in drawings:
        if isinstance(drawing, NotEnough):
            fits.append({"not_enough_data": str(drawing)})
        else:
            head = {"figure": drawing.name, "title": drawing.finding, "caption": drawing.words}
            fits += [{**head, **entry} for entry in drawing.fits]
    return {"schema_version": 1, "fits": fits}


def write_texts(
    table: Table,
    outcomes: Outcomes,
    claims: Mapping[str, Sequence[ClaimResult]],
    *,
    out: Path,
    notes: str = "",
    sets: Grid | None = None,
) -> list[str]:
    """Claims with what they leave out, the paper's tables in three forms, and all records as CSV."""
    write_text(out / "records.csv", records_csv(table, outcomes))
    write_text(out / "claims.md", claims_text(claims, notes=notes))
    grids = paper_tables(table, outcomes) | ({"table_sets": sets} if sets is not None and sets.rows else {})
    for name, grid in grids.items():
        for ending, text in grid.texts().items():
            write_text(out / f"{name}.{ending}", text)
    lines = [f"claims: {out / 'claims.md'}", f"records: {out / 'records.csv'}"]
    return [*lines, *([f"{TABLES_LINE}{', '.join(grids)}"] if grids else [])]


def claims_text(claims: Mapping[str, Sequence[ClaimResult]], *, notes: str = "") -> str:
    """What claims.md holds: the table of claims, what it leaves out, and what each ruling rests on."""
    return "\n".join([claims_table(claims), *(["", notes] if notes else []), claims_details(claims)]) + "\n"
