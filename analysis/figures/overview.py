"""Whole-study figures: everything against pretraining loss (paper figure 1), SFT and ICL with fits (2), SFT against data (3).

all_against_loss(points)           # figure 1
published_loss_fits()              # figure 2, with the GPT-3 and GPT-4 points of the original
sft_against_data(points, outcomes) # figure 3
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis import paper
from analysis.compare.fits import fit_series, line_entry, series_entry
from analysis.figures.accuracy import (
    DATA_FORMULA,
    LOSS_FORMULA,
    log_examples,
    loss_label,
    name_bases,
    top_of,
)
from analysis.figures.drawing import (
    HELD_OUT_WORDS,
    MOST_LABELS,
    Drawing,
    End,
    base_looks,
    draw_held_out,
    draw_points,
    kinds_caption,
    label_ends,
    label_rows,
    legend_outside,
    log2_axis,
    method_looks,
    shared_words,
)
from analysis.figures.findings import gains_of, of_claims, published_lines
from analysis.figures.left_out import left_out_words
from analysis.figures.registry import draws
from analysis.load.labels import method_rank, setting_label, studied
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.load.query import where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import LineFit, NotEnough, fit_line
from analysis.style import (
    LINE_STYLES,
    UNION_STYLES,
    MethodStyle,
    caption,
    method_style,
    new_figure,
    tint,
)

FIGURE_1_NOTE = (
    'The original figure 1 disagrees with table 5: its curve "RFT U13B" mixes rows. It shows 49.3, 51.2, 51.4, 55.3, 56.5, '
    "of which the middle three are the U33B row; table 5 has 49.3, 50.3, 52.1, 55.4, 56.5 for U13B, drawn here."
)
FIGURE_2_NOTE = (
    "As in the original figure 2 the SFT line includes GPT-3 (Cobbe et al. 2021) and GPT-4, whose 92.0 is 5-shot ICL and "
    "which has leverage: without it the slope is -85.6. The original draws 196.17 - 88.12 loss and 307.68 - 166.34 loss."
)


@draws("all_vs_loss", order=60, says=of_claims("5b", "5a", "4b"))
def all_against_loss(points: Sequence[Point], *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Every setting that two bases or more share, against pretraining loss; a panel for each text that losses are of."""
    usable = [p for p in points if p.loss is not None and not p.cell.post_trained]
    series: dict[str, list[Point]] = {}
    for point in sorted(usable, key=_rank):
        whole = not studied(point.cell) or point.cell.data_frac == 1
        if whole and point.cell.plainly_selected and (point.method in ("icl", "sft") or studied(point.cell)):
            series.setdefault(setting_label(point.cell), []).append(point)
    series = {label: group for label, group in series.items() if len({p.cell.base for p in group}) > 1}
    if not series:
        return NotEnough("all settings against pretraining loss", "no setting is shared by two bases with a loss")
    texts = sorted({p.cell.loss_text or "unnamed text" for group in series.values() for p in group})
    figure, axes = new_figure(width=6.4 * len(texts), height=5.2, columns=len(texts), page=page, sharey=True)
    legend: dict[str, Any] = {}
    shown = [p for group in series.values() for p in group]
    looks = _series_looks(series, method_looks(points))
    for panel, text in zip(axes[0], texts, strict=True):
        for label, group in series.items():
            here = sorted((p for p in group if (p.cell.loss_text or "unnamed text") == text), key=lambda p: -_loss(p))
            if here:
                x, y = [_loss(p) for p in here], [p.estimate.value for p in here]
                legend[label] = panel.plot(x, y, linewidth=1, markersize=4.5, **looks[label])[0]
        on_it = [p for p in shown if (p.cell.loss_text or "unnamed text") == text]
        name_bases(panel, on_it, base_looks(on_it, among=points))
        panel.invert_xaxis()
        panel.set_xlabel(loss_label(on_it))
    label_rows(axes, "test accuracy [%]")
    axes[0][0].set_ylim(0, top_of(shown))
    lasts = {label: min(group, key=_loss) for label, group in series.items()}
    together = len({p.loss for p in lasts.values()}) == 1
    if len(texts) > 1 or not together or len(series) > MOST_LABELS:
        legend_outside(figure, list(legend.values()), list(legend), columns=5)
    else:
        label_ends(axes[0][0], [End(p.estimate.value, n, looks[n]["color"]) for n, p in lasts.items()])
    text = f"Lines join the bases of one setting. {_se_words(shown)}{shared_words(len(texts), 'accuracy')}"
    if any(p.cell.source for p in shown):
        text += " " + FIGURE_1_NOTE
    caption(figure, text)
    return Drawing("all_vs_loss", figure, [], text)


def _loss(point: Point) -> float:
    assert point.loss is not None
    return point.loss


def _rank(point: Point) -> tuple[tuple[int, str, bool], float, int, int]:
    frac = point.cell.data_frac or 1
    return (method_rank(point.cell), frac, len(point.cell.union), point.cell.k or 0)


def _series_looks(
    series: Mapping[str, list[Point]], methods: Mapping[tuple[str, bool], MethodStyle]
) -> dict[str, dict[str, Any]]:
    """Marker and colour by method, strength by amount, line style by place."""
    looks = {}
    for lineage in {group[0].cell.lineage for group in series.values()}:
        mine = [label for label, group in series.items() if group[0].cell.lineage == lineage]
        style = methods[lineage]
        for i, label in enumerate(mine):
            strength = 1.0 if len(mine) == 1 else 0.35 + 0.65 * i / (len(mine) - 1)
            donors = len(series[label][0].cell.union) if lineage[0] == "rft" else 0
            look = UNION_STYLES[donors % len(UNION_STYLES)] if donors else style
            colour = tint(look.colour, strength=1.0 if donors else strength)
            looks[label] = {"marker": look.marker, "color": colour, "linestyle": LINE_STYLES[i % len(LINE_STYLES)]}
    return looks


def _se_words(points: Sequence[Point]) -> str:
    errors = [p.estimate.se for p in points if math.isfinite(p.estimate.se)]
    kinds = kinds_caption(points).removeprefix("Bars: 95 % intervals, ")
    return f"Standard errors (not drawn) are {min(errors):.1f} to {max(errors):.1f} points: {kinds}" if errors else ""


@draws("published_fig2", order=0, says=published_lines, of_paper=True)
def published_loss_fits(*, page: Page = SCREEN) -> Drawing:
    """Figure 2: SFT (with GPT-3 and GPT-4) and ICL against the published losses, fitted."""
    figure, axes = new_figure(width=5.8, height=4.6, page=page)
    panel, fits = axes[0][0], []
    for name, method, label in (("SFT + GPT-3 + GPT-4", "sft", "SFT"), ("ICL", "icl", "ICL")):
        x, y = paper.loss_points()[name]
        style = method_style(method)
        line = fit_line(x, y, what=name)
        assert isinstance(line, LineFit)
        grid = np.linspace(min(x), max(x), 60)
        text = f"{label}: {line.a:.1f} − {-line.b:.1f}·loss, R² {line.r2:.3f}, n = {line.n}"
        panel.plot(x, y, linestyle="none", marker=style.marker, color=style.colour, label=text)
        panel.plot(grid, line.predict(grid), color=style.colour, linestyle="-" if method == "sft" else "--")
        panel.fill_between(grid, *line.band(grid), color=style.colour, alpha=0.12, linewidth=0)
        fits.append({"series": name, **line_entry(line, formula=LOSS_FORMULA), "unit": "base"})
    for model, (dx, dy) in {
        "GPT-4": (6, -3),
        "GPT3-3B": (4, 5),
        "GPT3-175B": (-36, -13),
        "LLaMA2-70B": (6, 0),
    }.items():
        value = paper.number_of(paper.find(model=model, metric="maj1@1")[0]) if "GPT" in model else paper.sft(model)
        panel.annotate(
            model, (paper.losses()[model], value), xytext=(dx, dy), textcoords="offset points", fontsize="small",
            color="#444444",
        )  # fmt: skip
    panel.set_ylim(0, 100)
    panel.invert_xaxis()
    panel.set_xlabel(f"pretraining loss [nats/token]\non {paper.LOSS_TEXT}")
    panel.set_ylabel("test accuracy [%]")
    panel.legend(loc="upper left")
    text = f"Published numbers, shaded 95 % of the line (t over models). {FIGURE_2_NOTE}"
    caption(figure, text)
    return Drawing("published_fig2", figure, fits, text)


@draws("sft_vs_data", order=50, says=gains_of("sft", "data"))
def sft_against_data(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """SFT of all bases against log2 of human examples in one panel, a line per base."""
    sft = [p for p in where(points, method="sft") if p.mean_of("num_human")]
    if not sft:
        return NotEnough("SFT against data", "no SFT cell")
    looks = base_looks(sft, among=points)
    if all(len({p.mean_of("num_human") for p in where(sft, base=base)}) == 1 for base in looks.names):
        return NotEnough("SFT against data", "no base has SFT at two amounts of data")
    colours, lines, markers = looks.colours, looks.lines, looks.markers
    figure, axes = new_figure(width=5.8, height=4.4, page=page)
    panel = axes[0][0]
    fits, handles, ends = [], [], []
    beside: Counter[float] = Counter()  # held-out points at each most amount
    for base, name in looks.names.items():
        members = sorted(where(sft, base=base), key=lambda p: p.mean_of("num_human") or 0)
        x = [p.mean_of("num_human") or 1 for p in members]
        handles.append(
            draw_points(panel, x, members, linestyle="none", color=colours[name], marker=markers[name], markersize=5)
        )
        ends.append(End(members[-1].estimate.value, name, colours[name]))
        fit = fit_series(members, log_examples, outcomes, what=f"{name}, SFT")
        entry = {**series_entry(fit, formula=DATA_FORMULA), "method": "sft"}
        if isinstance(fit.line, LineFit):
            reach = np.array([min(fit.line.x), max(fit.line.x)])
            panel.plot(np.exp2(reach), fit.line.predict(reach), color=colours[name], linestyle=lines[name])
            top, look = int(fit.line.x.argmax()), {"color": colours[name], "marker": markers[name]}
            aside = 0.035 * (beside[fit.line.x[top]] + 2) * (fit.line.x[top] - fit.line.x.min())
            beside[fit.line.x[top]] += 1
            entry |= draw_held_out(panel, fit.line, index=top, at=2 ** (fit.line.x[top] + aside), **look)
        fits.append(entry)
    log2_axis(panel, [p.mean_of("num_human") or 1 for p in sft], label="human training examples")
    panel.set_ylabel("test accuracy [%]")
    panel.set_ylim(0, top_of(sft, fits=fits))
    if len(ends) > MOST_LABELS:
        legend_outside(figure, handles, list(looks.names.values()))
    else:
        label_ends(panel, ends)
    text = kinds_caption(sft) + " Lines: least squares on log2(examples). Beside the most examples: " + HELD_OUT_WORDS
    text += left_out_words(fits, sft, looks.names)
    caption(figure, text)
    return Drawing("sft_vs_data", figure, fits, text)
