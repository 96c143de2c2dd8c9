"""The exchange rate: what a kept path, and what a new one, is worth in fresh human problems; against k, loss and human style.

exchange_figure(every_recipe, outcomes)      # against k, per kept and per new path, and the parts of RFT's gain
exchange_against(every_recipe, outcomes)     # at one k against pretraining loss and, of all recipes, against human_style
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from analysis.compare.exchange import FRESH_COUNT, MIN_FRESH, Exchange, Rate, Split, exchange_rates, split_gain
from analysis.compare.fits import estimate_entry, line_entry
from analysis.compare.loss_fits import texts_differ
from analysis.figures.accuracy import loss_label
from analysis.figures.drawing import Drawing, Looks, base_looks, held_words, label_x, legend_outside
from analysis.figures.findings import rate_lines, rates
from analysis.figures.registry import draws
from analysis.load.cells import HUMAN_STYLE
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.load.query import where
from analysis.load.recipes import main_recipe
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import LineFit, NotEnough, fit_line
from analysis.style import caption, method_style, new_figure

NO_BAR = "has no cells of the same steps and replicates"
READING = "0: worth no more than repetition, 1: as much as a fresh human problem, below 0: it harms. Not clipped."
SCALE_WORDS = "Filled: human problems count by their logarithm; open: each counts alike."
WORTH_FORMULA = "fresh human problems per new path = a + b * x"
STYLE_LABEL = "human_style (0: no preferred style, 1: always the same)"
AXES: dict[str, tuple[str, Callable[[Exchange], float | None], tuple[str, ...]]] = {
    "loss": ("pretraining loss", lambda e: e.rft.loss, (FRESH_COUNT,)),
    "human_style": (STYLE_LABEL, lambda e: e.rft.cell.human_style, (FRESH_COUNT, HUMAN_STYLE)),
}  # axis -> label, value, the keys that it shows
PATHS: dict[str, Callable[[Exchange], float | None]] = {
    "kept path": lambda e: e.kept,
    "new path": lambda e: e.new,
}  # what a rate is counted by


def full_rates(points: Sequence[Point], outcomes: Outcomes) -> list[Exchange]:
    """The rates there are, on all data from the own pool with de-duplication: one for each base and k of a recipe."""
    found = [e for e in exchange_rates(points, outcomes) if isinstance(e, Exchange)]
    plain = [e for e in found if e.rft.cell.plainly_selected and e.rft.cell.on_all_examples]
    return [e for e in plain if e.rft.cell.data_frac == 1 and not e.rft.cell.union]


@draws("exchange_rate", order=90, says=rates)
def exchange_figure(every_recipe: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Worth of one kept and of one new path in fresh human problems against k, and the parts of RFT's gain."""
    recipe = main_recipe([p for p in every_recipe if p.cell.source is None], free=(FRESH_COUNT,))
    found = full_rates(recipe.points, outcomes)
    if not found:
        need = f"no RFT cell with sft_matched and {MIN_FRESH} amounts of fresh human problems at equal optimiser steps"
        return NotEnough("the exchange rate", need)
    looks = base_looks([e.rft for e in found], among=every_recipe)
    figure, axes = new_figure(width=8.6 + 0.8 * len(looks.names), height=4.1, columns=3, page=page)
    for panel, (name, paths) in zip(axes[0], PATHS.items(), strict=False):
        _worth_panel(panel, found, looks=looks, paths=paths)
        panel.set_ylabel(f"fresh human problems per {name}")
    tops = _tops(found, recipe.points)
    splits = [s for base in looks.names if (s := split_gain(tops[base], recipe.points, outcomes)) is not None]
    fits = [exchange_entry(e, name=looks.names[e.rft.cell.base]) for e in found]
    fits += _split_panel(axes[0][2], splits, looks=looks)
    entries = [panel.get_legend_handles_labels() for panel in (axes[0][0], axes[0][2])]
    legend_outside(figure, [h for handles, _ in entries for h in handles], [n for _, names in entries for n in names])
    text = f"95 % intervals: {_held(found)} (Fieller). {READING} {SCALE_WORDS}{_absent(found, looks)} Right: RFT - SFT"
    absent = [label for part, label, _, _ in PARTS if any(getattr(split, part) is None for split in splits)]
    held = held_words([one for split in splits for part, *_ in PARTS if (one := getattr(split, part)) is not None])
    text += f" in parts (95 %: {held})" if held and held != _held(found) else " in parts"
    text += f"; an absent bar: its control {NO_BAR}." if absent else "."
    text += "".join(_amounts_out(one, name=looks.names[one.rft.cell.base]) for one in found)
    text += "".join(_left_out(split, name=looks.names[split.rft.cell.base]) for split in splits)
    text += f" {recipe}" if str(recipe) else ""
    caption(figure, text)
    return Drawing("exchange_rate", figure, fits, text)


def _tops(found: Sequence[Exchange], points: Sequence[Point]) -> dict[str, Point]:
    """By base the RFT setting with the largest k that has a rate, with all its cells: also those without fresh problems."""
    rated = {(e.rft.cell.base, e.rft.cell.setting_key) for e in found}
    mine = [p for p in where(points, method="rft") if (p.cell.base, p.cell.setting_key) in rated]
    return {p.cell.base: p for p in sorted(mine, key=lambda p: p.cell.k or 0)}


def _amounts_out(found: Exchange, *, name: str) -> str:
    """Which amounts of human problems a rate does without, in words."""
    amounts = " and ".join(found.left_out)
    cells = f"{len(found.rft.cells)} cells of {name}'s RFT k={found.rft.cell.k}"
    return f" Without {amounts} human problems, which lack draws or replicates of the {cells}." if amounts else ""


def _left_out(split: Split, *, name: str) -> str:
    """How many replicates the parts of one gain do without, in words."""
    every = len(split.rft.cells)
    used = f"{every - split.left_out} of RFT's {every} cells"
    return f" Parts of {name}: of the {used} whose draw and replicate all of them have." if split.left_out else ""


def _held(found: Sequence[Exchange]) -> str:
    """What the intervals that are drawn hold, in words."""
    return " or ".join(dict.fromkeys(e.label for e in found if e.log.interval or e.linear.interval)) or "none"


def _absent(found: Sequence[Exchange], looks: Looks) -> str:
    """Which rates have no mark, in words."""
    names = [
        f"{looks.names[e.rft.cell.base]} k={e.rft.cell.k} ({scale})"
        for e in found
        for scale in ("log", "linear")
        if getattr(e, scale).interval is None
    ]
    return f" Not estimable: {', '.join(names)}." if names else ""


@draws("exchange_against", order=160, says=rate_lines)
def exchange_against(every_recipe: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """The rate of a new path at the k that most cells share (the largest such) against whatever of loss and style varies.

    Each axis has the commonest recipe of its own, as against style that key is shown.
    """
    what = "the exchange rate against pretraining loss or human_style"
    measured = [point for point in every_recipe if point.cell.source is None]
    recipes = {axis: main_recipe(measured, free=free) for axis, (_, _, free) in AXES.items()}
    found = {axis: full_rates(recipe.points, outcomes) for axis, recipe in recipes.items()}
    counts = Counter(e.rft.cell.k for rates in found.values() for e in rates)
    k = max(counts, key=lambda k: (counts[k], k or 0), default=None)
    found = {axis: [e for e in rates if e.rft.cell.k == k] for axis, rates in found.items()}
    found = {axis: rates for axis, rates in found.items() if len({AXES[axis][1](e) for e in rates} - {None}) > 1}
    if "loss" in found and texts_differ([e.rft for e in found["loss"]]):
        del found["loss"]
    if not found:
        return NotEnough(what, "neither varies among the cells that have a rate (of losses on one text)")
    shown = [e for rates in found.values() for e in rates]
    looks = base_looks([e.rft for e in shown], among=every_recipe)
    figure, axes = new_figure(width=4.9 * len(found) + 0.9, height=4.2, columns=len(found), page=page, sharey=True)
    fits = [
        _against_panel(panel, rates, looks=looks, axis=axis)
        for panel, (axis, rates) in zip(axes[0], found.items(), strict=True)
    ]
    axes[0][0].set_ylabel("fresh human problems per new path")
    entries = [panel.get_legend_handles_labels() for panel in axes[0]]
    legend_outside(figure, [h for handles, _ in entries for h in handles], [n for _, labels in entries for n in labels])
    text = f"k = {k}; 95 % intervals: {_held(shown)} (Fieller). {READING} {SCALE_WORDS}{_absent(shown, looks)} "
    text += "Lines: least squares over the logarithmic rates, 3 or more."
    text += "".join(f" Against {axis}: {recipes[axis]}" for axis in found if str(recipes[axis]))
    caption(figure, text)
    return Drawing("exchange_against", figure, fits, text)


def _against_panel(panel: Any, found: Sequence[Exchange], *, looks: Looks, axis: str) -> dict[str, Any]:
    """One axis; returns the entry of its line over the rates of one recipe that can be estimated."""
    label, value, _ = AXES[axis]
    known = [(e, x) for e in found if (x := value(e)) is not None]
    span = max(x for _, x in known) - min(x for _, x in known)
    for i, base in enumerate(looks.names):
        mine = [(e, x) for e, x in known if e.rft.cell.base == base]
        aside = 0.0 if axis == "loss" else 0.02 * span * (i - (len(looks.names) - 1) / 2)
        xs = [x + aside for _, x in mine]
        _draw_worth(panel, xs, [e for e, _ in mine], looks=looks, paths=PATHS["new path"], apart=0.006 * span)
    worths = [(x, worth[0]) for e, x in known if (worth := e.log.per(e.new)) is not None]
    line = fit_line([x for x, _ in worths], [y for _, y in worths], what=f"exchange rate against {axis}")
    if isinstance(line, LineFit):
        ends = np.array([line.x.min(), line.x.max()])
        panel.plot(ends, line.predict(ends), color="#555555", linewidth=1)
    _reference_lines(panel)
    panel.set_xlabel(label)
    if axis == "loss":
        panel.set_xlabel(loss_label([e.rft for e, _ in known]))
        panel.invert_xaxis()
    return {"series": f"worth of a path against {axis}", **line_entry(line, formula=WORTH_FORMULA)}


def _reference_lines(panel: Any) -> None:
    panel.axhline(0, color="#000000", linewidth=0.9)
    panel.axhline(1, color=method_style("fresh_human").colour, linewidth=0.9, linestyle="--")


def _draw_worth(
    panel: Any,
    x: Sequence[float],
    mine: Sequence[Exchange],
    *,
    looks: Looks,
    paths: Callable[[Exchange], float | None],
    apart: float,
) -> None:
    """The two scales side by side, `apart` to the left and right; rates that cannot be estimated have no mark."""
    if not mine:
        return
    name = looks.names[mine[0].rft.cell.base]
    look: dict[str, Any] = {"linestyle": "none", "color": looks.colours[name], "marker": looks.markers[name]}
    for scale, side, face in (("log", -apart, looks.colours[name]), ("linear", apart, "none")):
        worths = [(at + side, getattr(e, scale).per(paths(e))) for at, e in zip(x, mine, strict=True)]
        bars = [(at, worth[0], *worth[1]) for at, worth in worths if worth is not None]
        places, y, low, high = np.array(bars).reshape(-1, 4).T
        label = name if scale == "log" else None
        panel.errorbar(places, y, yerr=[y - low, high - y], markerfacecolor=face, label=label, **look)


def _worth_panel(
    panel: Any, found: Sequence[Exchange], *, looks: Looks, paths: Callable[[Exchange], float | None]
) -> None:
    """Against k, bases and scales side by side."""
    ks = sorted({e.rft.cell.k or 1 for e in found})
    step = 0.09 * max(1.0, math.log2(ks[-1] / ks[0])) / max(2, len(looks.names))
    for i, base in enumerate(looks.names):
        mine = sorted((e for e in found if e.rft.cell.base == base), key=lambda e: e.rft.cell.k or 0)
        logs = [math.log2(e.rft.cell.k or 1) + step * (i - (len(looks.names) - 1) / 2) for e in mine]
        _draw_worth(panel, logs, mine, looks=looks, paths=paths, apart=step / 4)
    _reference_lines(panel)
    panel.set_xticks([math.log2(k) for k in ks], [str(k) for k in ks])
    panel.set_xlim(math.log2(ks[0]) - 0.5, math.log2(ks[-1]) + 0.5)
    label_x(panel, "k, samples per question")


def _two_lines(name: str) -> str:
    """'nano-s' over '1.5M tok': a base's name in narrow columns."""
    return name.replace(" ", "\n", 1)


def exchange_entry(e: Exchange, *, name: str) -> dict[str, Any]:
    """All that is known of a rate, as JSON; what is not estimable is null, with its reason."""
    entry: dict[str, Any] = {"series": f"{name}, k={e.rft.cell.k}, exchange rate", "num_human": e.num_human}
    entry |= {"kept": e.kept, "new": e.new, "amounts": len(e.curve), "holds": e.label}
    entry |= {"left_out": list(e.left_out)} if e.left_out else {}
    return entry | {"log": _rate_entry(e.log, e), "linear": _rate_entry(e.linear, e)}


def _rate_entry(rate: Rate, e: Exchange) -> dict[str, Any]:
    entry: dict[str, Any] = {"note": rate.note, "slope": estimate_entry(rate.slope)}
    for name, paths in (("kept", e.kept), ("new", e.new)):
        worth = rate.per(paths)
        these = rate.per_these_bases(paths)
        held = {"these_bases_95": None if these is None else list(these)}
        entry[f"per_{name}_path"] = (
            None if worth is None else {"value": worth[0], "interval_95": list(worth[1]), **held}
        )
    return entry


PARTS = (
    ("steps", "more steps (matched - SFT)", "#56B4E9", ""),
    ("diversity", "true diversity (oracle - matched)", "#009E73", "//"),
    ("rest", "rest (RFT - oracle)", "#D55E00", "xx"),
    ("total", "total (RFT - SFT)", "#555555", ""),
)


def _split_panel(panel: Any, splits: Sequence[Split], *, looks: Looks) -> list[dict[str, Any]]:
    entries = []
    named: set[str] = set()
    for i, split in enumerate(splits):
        for j, (part, label, colour, hatch) in enumerate(PARTS):
            estimate = getattr(split, part)
            if estimate is None:
                continue
            half = estimate.half_width()
            panel.bar(
                i + (j - 1.5) * 0.2, estimate.value, width=0.18, color=colour, hatch=hatch, edgecolor="white",
                yerr=half if math.isfinite(half) else None, error_kw={"elinewidth": 0.9, "capsize": 2},
                label=None if label in named else label,
            )  # fmt: skip
            named.add(label)
            series = f"{looks.names[split.rft.cell.base]}, k={split.rft.cell.k}, {label}"
            left_out = {"replicates_left_out": split.left_out} if split.left_out else {}
            entries.append({"series": series, "estimate": estimate_entry(estimate), **left_out})
    panel.axhline(0, color="#000000", linewidth=0.9)
    labels = [f"{_two_lines(looks.names[s.rft.cell.base])}\nk={s.rft.cell.k}" for s in splits]
    panel.set_xticks(range(len(splits)), labels)
    panel.grid(visible=False, axis="x")
    panel.set_ylabel("points")
    return entries
