"""What RFT gives beside SFT, pair by pair: the differences that claims 4a and 4b are about, with both of their intervals.

rft_over_sft(points, outcomes)

Accuracies of bases that were drawn anew lie far apart, and so do their bars; RFT and SFT of one draw lie apart together. So
this figure shows differences within draws, and not of the bars in the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.claims.beside import beside
from analysis.compare.comparisons import MARGIN, lacking
from analysis.compare.controls import CONTROLS, control_words, controls_of, harder
from analysis.compare.fits import estimate_entry
from analysis.figures.drawing import BAR_ALPHA, Drawing, Looks, base_looks, legend_outside
from analysis.figures.findings import of_claims
from analysis.figures.registry import draws
from analysis.load.labels import series_by_label, studied
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.load.query import same_but, where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from analysis.stats.power import VERDICT_UNITS
from analysis.stats.uncertainty import Estimate, Kind
from analysis.style import caption, new_figure

Pair = tuple[Point, Mapping[str, Point]]  # a studied point, and what it is compared with, by name
MEAN = "mean of bases"
MEAN_LOOK = {"color": "#000000", "marker": "_", "markersize": 9}
# of a mean against fewer controls than the marks of its bases
ALONE_LOOK = {"color": "#000000", "marker": "x", "markersize": 5}
PLAIN = "sft"
THIN = {Kind.DRAWS: "draws too", Kind.BASES: "of means: over bases, a base's own draw inside"}
THICK = 3.2  # of the bar for these bases, beside a thin one for new bases of this kind


@dataclass(frozen=True)
class _Panel:
    """Differences from one thing."""

    title: str
    rows: dict[str, list[Pair]]  # by setting


@dataclass(frozen=True)
class _Difference:
    """From the harder of some things."""

    estimate: Estimate
    names: tuple[str, ...]  # PLAIN, or controls


@draws("rft_over_sft", order=12, says=of_claims("4a", "4b"))
def rft_over_sft(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Studied methods on all data minus plain SFT, and minus the harder of its controls, paired by draw and replicate."""
    panels = [
        panel
        for panel in (
            _panel("minus SFT", points, lambda point: _plain(point, points)),
            _panel("minus the harder control", points, lambda point: controls_of(point, points)),
        )
        if panel.rows
    ]
    if not panels:
        return NotEnough("RFT minus SFT", "no RFT cell on the full data beside SFT")
    labels = list(dict.fromkeys(label for panel in panels for label in panel.rows))
    shown = [point for panel in panels for pairs in panel.rows.values() for point, _ in pairs]
    looks = base_looks(shown, among=points)
    figure, axes = new_figure(
        width=min(8.5, max(5.2, 1.2 + len(labels) * max(0.6, 0.18 * (len(looks.names) + 1)))), height=1.6 + 2.4 * len(panels),
        rows=len(panels), page=page, sharex=True, sharey=True,
    )  # fmt: skip
    fits: list[dict[str, Any]] = []
    legend: dict[str, Any] = {}
    found: list[Estimate] = []
    for axis, panel in zip(axes[:, 0], panels, strict=True):
        fits += _draw(axis, panel, outcomes, labels=labels, looks=looks, legend=legend, found=found)
        axis.set_title(f"RFT {panel.title}" if _of_rft(panels) else panel.title, loc="left")
        axis.set_ylabel("points")
    if not found:
        return NotEnough("RFT minus SFT", "no RFT cell shares draw and replicate with an SFT cell")
    axes[-1][0].set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    axes[-1][0].set_xlim(-0.6, len(labels) - 0.4)
    means = [name for name in legend if name.startswith(MEAN)]
    legend |= {name: legend.pop(name) for name in means}  # behind the bases
    legend_outside(figure, list(legend.values()), list(legend), columns=6)
    text = _words(found, panels, several=len(looks.names) > 1)
    text += " Cross: against other controls than some of its bases." if set(means) - {MEAN} else ""
    caption(figure, text)
    return Drawing("rft_over_sft", figure, fits, text)


def _of_rft(panels: Sequence[_Panel]) -> bool:
    return all(point.method == "rft" for panel in panels for pairs in panel.rows.values() for point, _ in pairs)


def _plain(point: Point, points: Sequence[Point]) -> dict[str, Point]:
    sft = same_but(point, points, method=PLAIN)
    return {} if sft is None else {PLAIN: sft}


def _panel(title: str, points: Sequence[Point], controls: Callable[[Point], Mapping[str, Point]]) -> _Panel:
    mine = [p for p in where(points, data_frac=1.0) if studied(p.cell) and p.cell.on_all_examples]
    rows = {
        label: [(point, own) for point in members if (own := controls(point))]
        for label, members in series_by_label(mine).items()
    }
    return _Panel(title, {label: pairs for label, pairs in rows.items() if pairs})


def _draw(
    axis: Any,
    panel: _Panel,
    outcomes: Outcomes,
    *,
    labels: Sequence[str],
    looks: Looks,
    legend: dict[str, Any],
    found: list[Estimate],
) -> list[dict[str, Any]]:
    step = 0.8 / (len(looks.names) + (len(looks.names) > 1))  # the mean beside several
    fits = []
    axis.axhspan(-MARGIN, MARGIN, color="#000000", alpha=0.06, linewidth=0)
    axis.axhline(0, color="#000000", linewidth=0.9)
    for label, pairs in panel.rows.items():
        place = labels.index(label)
        by_base = {point.cell.base: (point, own) for point, own in pairs}
        marks: list[_Difference] = []
        for i, (base, name) in enumerate(looks.names.items()):
            if base not in by_base:
                continue
            mark = _difference(by_base[base], outcomes)
            if mark is None:
                continue
            marks.append(mark)
            look = {"color": looks.colours[name], "marker": looks.markers[name]}
            legend[name] = _mark(axis, place - 0.4 + step * (i + 0.5), mark.estimate, **look)
            fits.append({"series": f"{label} {panel.title}, {name}", "estimate": estimate_entry(mark.estimate)})
            found.append(mark.estimate)
        mean = _mean(list(by_base.values()), outcomes) if len(by_base) > 1 else None
        if mean is not None:
            found.append(mean.estimate)
            name, look = _mean_look(mean, marks)
            legend[name] = _mark(axis, place + 0.4 - step / 2, mean.estimate, **look)
            fits.append({"series": f"{label} {panel.title}, {name}", "estimate": estimate_entry(mean.estimate)})
    axis.grid(visible=False, axis="x")
    return fits


def _mean_look(mean: _Difference, marks: Sequence[_Difference]) -> tuple[str, dict[str, Any]]:
    """Its name and mark: it says what it is against where that is not what each of the marks beside it is against."""
    if all(mark.names == mean.names for mark in marks):
        return MEAN, MEAN_LOOK
    return f"{MEAN}, against {control_words(mean.names)}", ALONE_LOOK


def _difference(pair: Pair, outcomes: Outcomes) -> _Difference | None:
    """The difference of one base from what it is compared with; of several the harder."""
    point, own = pair
    told = {name: contrast((point, control), (1.0, -1.0), outcomes) for name, control in own.items()}
    known = {name: one for name, one in told.items() if one is not None}
    return _Difference(harder(list(known.values())), tuple(known)) if known else None


def _mean(pairs: Sequence[Pair], outcomes: Outcomes) -> _Difference | None:
    """The mean over bases, as claims 4a and 4b have it."""
    found = beside(pairs, [point for point, _ in pairs], outcomes)
    return _Difference(found.harder, found.judged) if found.harder is not None else None


def _mark(axis: Any, x: float, estimate: Estimate, **look: Any) -> Any:
    """A marker with a thick bar for these bases and a thin one for new bases of this kind."""
    general = None if lacking(estimate) else estimate.new_bases
    for one, width in ((estimate.these_bases, THICK), (general, 0.9)):
        if one is None or not math.isfinite(one.half_width()):
            continue
        low, high = one.interval()
        axis.vlines(x, low, high, color=look["color"], linewidth=width, alpha=BAR_ALPHA if width < 1 else 0.3)
    return axis.plot([x], [estimate.value], linestyle="none", **look)[0]


def _words(found: Sequence[Estimate], panels: Sequence[_Panel], *, several: bool) -> str:
    items = sorted({one.num_items for one in found if one.num_items})
    sizes = " to ".join(f"{n:,}" for n in ([items[0], items[-1]] if len(items) > 1 else items))
    kinds = {one.these_bases.kind for one in found if math.isfinite(one.these_bases.half_width())}
    paired = ["paired by draw, replicate and problem"] if kinds != {Kind.PUBLISHED} else []
    paired += ["unpaired, binomial error of published runs"] if Kind.PUBLISHED in kinds else []
    text = f"95 % intervals of differences, {'; '.join(paired)}: thick, of these bases as they are"
    text += " (item noise only where a draw has one replicate)" if Kind.ITEMS in kinds else ""
    general = {one.kind for one in found if one.new_bases is not None and not lacking(one)}
    held = [words for kind, words in THIN.items() if kind in general] or list(THIN.values())[:1]
    text += f"; thin, of new bases of this kind ({'; '.join(held)}), on which verdicts rest"
    text += "." if not any(map(lacking, found)) else f"; none where fewer than {VERDICT_UNITS} draws or bases show it."
    text += f" n = {sizes} test problems." if items else ""
    text += f" Grey: within {MARGIN:g} point of 0."
    if len(panels) > 1 or panels[0].title != "minus SFT":
        used = [
            control for panel in panels for pairs in panel.rows.values() for _, own in pairs for control in own.values()
        ]
        both = control_words(list(CONTROLS), used=used).removeprefix("the harder of ")
        text += f" Harder control: the smaller difference of {both}, where both were run."
    return text + (" Mean: every base counts alike." if several else "")
