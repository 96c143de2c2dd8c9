"""The sections of the report, each a function from a study's parts to HTML.

html = claims_section({"this study": results, "published": published_claims()})
"""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.claims.remedies import Remedy, remedy_of
from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import facts_of
from analysis.compare.controls import Against
from analysis.figures.drawing import Drawing
from analysis.load.cells import Cell, Table
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.load.recipes import main_recipe
from analysis.plan.planner import TARGETS, WORDS, next_runs
from analysis.report.findings import Findings
from analysis.report.markup import Markup, items, join, table, tag
from analysis.report.plan import duration, plan_of
from analysis.stats.linear import NotEnough
from analysis.style import HEADLINE
from analysis.tables.grids import Grid, paper_tables
from analysis.tables.matched import matched_notes, matched_rows, matched_title
from analysis.tables.noise import noise_notes, noise_rows
from analysis.tables.results import ERROR_NOTE, number, results_rows

PX_PER_POINT = 1.4  # a little larger than in print
HALF_PAGE = 640  # pixels: two figures that are no wider stand beside one another
MOST_OPTIONS = 3  # of the planner, per target


def findings_section(found: Findings, first: Drawing | None) -> Markup:
    """Three sentences, what to run next, and one figure."""
    parts: list[object] = [tag("p", text) for text in (found.run, found.separates, found.open)]
    if found.command:
        parts.append(
            tag("p", "To learn more, this adds to the study and keeps what is there: ", tag("code", found.command))
        )
    return join([tag("div", *parts, class_="findings"), *([_figure(first)] if first is not None else [])])


def claims_section(
    studies: Mapping[str, Sequence[ClaimResult]], *, cells: Sequence[Cell] = (), notes: str = ""
) -> Markup:
    """A card per claim that the first study could test, with every study's ruling; then the others, a line each with what
    would make them testable in `cells`, those of the first study."""
    first = next(iter(studies))
    tally = Counter(result.ruling for result in studies[first])
    counts = ", ".join(f"{tally[ruling]} are {ruling.value}" for ruling in Ruling if tally[ruling])
    name = first[0].upper() + first[1:]
    intro = tag(
        "p",
        f"{name}: of {len(studies[first])} tests, {counts}. Verdicts are about new bases of this kind and need five draws of "
        "a base, or five bases.",
    )
    rows = [dict(zip(studies, row, strict=True)) for row in zip(*studies.values(), strict=True)]
    tested = [row for row in rows if row[first].ruling is not Ruling.NOT_TESTABLE]
    others = [row for row in rows if row[first].ruling is Ruling.NOT_TESTABLE]
    left_out = [tag("p", notes, class_="note")] if notes else []
    cards = [tag("div", *map(_claim_card, tested), class_="claims")] if tested else []
    return join([intro, *left_out, *cards, *_untested_claims(others, cells=cells)])


def _untested_claims(rows: Sequence[Mapping[str, ClaimResult]], *, cells: Sequence[Cell]) -> list[Markup]:
    """A line for each claim that these cells cannot test: what is missing, a command that adds it, other studies' rulings."""
    if not rows:
        return []
    lines = [_untested_line(row, remedy_of(next(iter(row.values())), cells=cells)) for row in rows]
    plural = "claims" if len(rows) > 1 else "claim"
    head = tag("summary", f"{len(rows)} {plural} that these cells cannot test, and what to add to test them")
    return [tag("details", head, tag("ul", *lines, class_="untested"))]


def _untested_line(row: Mapping[str, ClaimResult], remedy: Remedy) -> Markup:
    (mine, *others) = row.values()
    names = list(row)[1:]
    said = [join([" ", name, ": ", _badge(result.ruling)], "") for name, result in zip(names, others, strict=True)]
    title = tag("strong", tag("span", mine.claim, class_="number"), " ", mine.title)
    parts: list[object] = [title, *said, tag("div", f"Missing: {remedy.words or 'what the reason names'}.")]
    parts += [tag("code", remedy.command)] if remedy.command else []
    why = tag("details", tag("summary", "Why not, and the statistic"), tag("p", mine.reason), tag("p", mine.statistic))
    return tag("li", *parts, why)


def _claim_card(results: Mapping[str, ClaimResult]) -> Markup:
    head = next(iter(results.values()))
    kind = "primary, Holm's correction" if head.primary else "exploratory"
    title = tag("h3", tag("span", head.claim, class_="number"), " ", head.title, " ", tag("small", kind))
    rulings = [
        tag("dt", name) + tag("dd", _badge(result.ruling), " ", result.reason) for name, result in results.items()
    ]
    facts = [
        tag("p", tag("strong", name)) + items(found) for name, result in results.items() if (found := facts_of(result))
    ]
    details = tag("details", tag("summary", "Statistic and details"), tag("p", head.statistic), *facts)
    return tag("article", title, tag("dl", *map(Markup, rulings)), details, class_="claim")


def _badge(ruling: Ruling) -> Markup:
    return tag("span", ruling.value, class_=f"badge {ruling.name.lower()}")


def figures_section(drawings: Sequence[Drawing | NotEnough], *, absent: Sequence[str] = (), notes: str = "") -> Markup:
    """What the figures leave out, every figure with its caption, then what could not be drawn and why."""
    left_out = [tag("p", notes, class_="note")] if notes else []
    drawn = [_figure(d) for d in drawings if isinstance(d, Drawing)]
    reasons = [f"{d.what}: {d.reason}" for d in drawings if isinstance(d, NotEnough)] + list(absent)
    missing = [tag("h3", "Not drawn"), items(reasons)] if reasons else []
    return join([*left_out, tag("div", *drawn, class_="figures"), *missing])


def _figure(drawing: Drawing) -> Markup:
    svg = panels_as_svg(drawing)
    box = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box, "matplotlib writes an svg's size in points as its view box"
    width, height = (round(float(points) * PX_PER_POINT) for points in box.groups())
    image = tag(
        "img", class_="plot", alt=f"Figure: {drawing.title}. {drawing.finding} {drawing.caption}", width=width,
        height=height, src=f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}",
    )  # fmt: skip
    image = Markup(image.removesuffix("</img>"))
    head = tag("h3", drawing.finding or drawing.title)
    name = [f"{drawing.title}. "] if drawing.finding else []
    wide = "wide" if width > HALF_PAGE else None
    return tag("figure", head, image, tag("figcaption", *name, drawing.caption), id=f"fig-{drawing.name}", class_=wide)


def panels_as_svg(drawing: Drawing) -> bytes:
    """The figure as SVG on no ground; its title and its caption stand in the page instead."""
    buffer = io.BytesIO()
    drawing.figure.supxlabel("")
    for text in drawing.figure.texts:
        text.set_visible(text.get_gid() != HEADLINE)
    drawing.figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()


def results_section(
    study: Table, points: Sequence[Point], outcomes: Outcomes, *, against: Sequence[Against], sets: Grid | None = None
) -> Markup:
    """Test sets side by side where there are several, all settings, RFT against its controls, the paper's tables."""
    header, rows = results_rows(study, outcomes)
    parts: list[object] = [
        *(_sets(sets) if sets is not None and sets.rows else ()),
        table(header, rows, name="results", caption="All settings", filters=("base", "method", "data", "k")),
        tag("p", ERROR_NOTE, class_="note"),
    ]
    if against:
        head, body = matched_rows(against)
        caption = f"{matched_title(against)} [points]"
        parts += [table(head, body, name="matched", caption=caption, filters=("base", "verdict"))]
        parts += [tag("p", note, class_="note") for note in matched_notes(against)]
    parts += _noise(points, outcomes)
    for name, grid in paper_tables(study, outcomes).items():
        note = [tag("p", grid.note, class_="note")] if grid.note else []
        shown = table(grid.header, grid.rows, name=name, caption=grid.title)
        parts.append(tag("details", tag("summary", grid.title), shown, *note))
    return join(parts)


def _noise(points: Sequence[Point], outcomes: Outcomes) -> list[Markup]:
    head, rows = noise_rows(main_recipe(points).points, outcomes)
    if not rows:
        return []
    notes = [tag("p", note, class_="note") for note in noise_notes(rows)]
    return [table(head, rows, name="noise", caption="Where the noise is [points]"), *notes]


def _sets(sets: Grid) -> tuple[Markup, Markup]:
    shown = table(sets.header, sets.rows, name="sets", caption=sets.title, filters=("base", "method"))
    return shown, tag("p", sets.note, class_="note")


FIT_HEADER = ("figure", "series", "formula", "slope", "95 %", "R²", "n")


def fits_section(drawings: Sequence[Drawing | NotEnough]) -> Markup:
    """Every fit under the figures, then the series without one."""
    entries = [(d.title, fit) for d in drawings if isinstance(d, Drawing) for fit in d.fits if "formula" in fit]
    rows = [_fit_row(title, fit) for title, fit in entries if "b" in fit]
    reasons = [f"{title}: {fit['series']}: {fit['not_enough_data']}" for title, fit in entries if "b" not in fit]
    parts: list[object] = [tag("p", "No fit was made.")]
    if rows:
        note = "Intervals by residual scatter (t, n - 2 degrees of freedom). fits.json holds residuals and influence."
        parts = [
            table(FIT_HEADER, rows, name="fits", caption="Lines in the figures", filters=("figure",)),
            tag("p", note, class_="note"),
        ]
    if reasons:
        parts.append(tag("details", tag("summary", f"{len(reasons)} series without a fit"), items(reasons)))
    return join(parts)


def _fit_row(title: str, fit: Mapping[str, Any]) -> list[str]:
    low, high = fit["b_interval_95"]
    r2 = "" if fit["r2"] is None else f"{fit['r2']:.3f}"
    return [title, fit["series"], fit["formula"], f"{fit['b']:.3g}", f"{low:.3g} to {high:.3g}", r2, str(fit["n"])]


def missing_section(study: Table) -> Markup:
    """Cells of the manifest without a record."""
    if not study.missing:
        return tag("p", "Every cell of the study is there.")
    rows = [[gap.study, gap.cell_id, gap.reason] for gap in study.missing]
    note = tag("p", "Missing cells are left out of every figure, fit and claim; they are never counted as 0.")
    return join(
        [note, table(("study", "cell", "reason"), rows, name="missing-cells", caption="Cells without a record")]
    )


def plan_section(study: Table, points: Sequence[Point], outcomes: Outcomes) -> Markup:
    """What was computed, at what cost, and which run would tell most next."""
    cells = [cell for cell in study.cells if cell.cost]
    if not cells:
        return tag("p", "The records hold no cost.")
    plan = plan_of(cells)
    if all(cell.source for cell in cells):
        intro = (
            f"The {len(plan.stages)} stages of the paper's table 4 that a published accuracy rests on: "
            f"{plan.seconds / 3600:,.0f} GPU hours (A100 80 GB)."
        )
    else:
        saved = f"{duration(plan.seconds_unshared)} had every cell been computed alone"
        intro = f"{len(cells):,} cells rest on {len(plan.stages):,} stages, each computed once: {duration(plan.seconds)} of "
        intro += f"one worker's wall-clock time, against {saved}. FLOPs are estimates: 6 N per trained token, 2 N per "
        intro += "generated one."
    parts: list[object] = [tag("p", intro), table(plan.header, plan.rows(), name="cost", caption="Stages by kind")]
    options = _options(points, outcomes)
    if options:
        head = ("what for", "next run", "half-width now", "then", "time")
        parts.append(table(head, options, name="next-runs", caption="Which run would tell most per hour"))
    return join(parts)


def _options(points: Sequence[Point], outcomes: Outcomes) -> list[list[str]]:
    rows = []
    published = all(point.cell.source for point in points)  # chosen from two epoch settings by the paper's own rule
    recipe = points if published else main_recipe(points).points
    for target in TARGETS:
        found = next_runs(recipe, outcomes, target=target)
        for option in found[:MOST_OPTIONS] if isinstance(found, list) else []:
            time = duration(3600 * option.hours) if option.hours else ""
            widths = [number(w, digits=2) for w in (option.half_width_now, option.half_width_after)]
            rows.append([WORDS[target], option.action, *widths, time])
    return rows


def provenance_section(study: Table) -> Markup:
    """Where the numbers come from: notes of loading; code, versions, devices and commands, and of how many cells."""
    cells, rows = study.cells, []
    for field in ("commit", "dirty", "device", "python", "platform", "command", "versions"):
        found = Counter(_plain(cell.provenance[field]) for cell in cells if field in cell.provenance)
        rows += [[field, value, f"{count:,}"] for value, count in found.most_common()]
    started = sorted(str(cell.provenance["started"]) for cell in cells if cell.provenance.get("started"))
    if started:
        rows.append(["started", f"{started[0]} to {started[-1]}", f"{len(started):,}"])
    sources = Counter(cell.source for cell in cells if cell.source)
    rows += [["published in", source, f"{count:,}"] for source, count in sources.items()]
    if not rows:
        return tag("p", "The records hold no provenance.")
    shown = table(
        ("what", "value", "cells"), rows, name="provenance-table", caption="Where the numbers come from", sortable=False
    )
    return join([*(tag("p", note, class_="note") for note in study.notes), shown])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items() if version is not None)
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
