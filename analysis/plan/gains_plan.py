"""What gains over matched SFT cost and how noisy they are: a study's records in the terms of `analysis.stats.budget`.

parts, design, prices = gain_noise(rft, control, outcomes)
print(budget_text(points, outcomes, minutes=60))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.compare.comparisons import matched_pairs
from analysis.compare.limits import drawable, most_problems
from analysis.load.labels import setting_label
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast_values
from analysis.plan.hours import base_hours, own_hours
from analysis.stats.budget import Design, Prices, assumed, best_design, wasted
from analysis.stats.components import Components, components
from analysis.stats.power import VERDICT_UNITS

SECONDS_PER_MINUTE = MINUTES_PER_HOUR = 60.0


def gain_noise(rft: Point, control: Point, outcomes: Outcomes) -> tuple[Components, Design, Prices] | None:
    """Components of one gain, the design that it has, and what its parts cost.

    What the design does not show is assumed (`assumed_words`). Of a model that is not drawn, replicates are the units.
    """
    values = contrast_values([((rft, control), (1.0, -1.0))], outcomes)
    if values is None or values[0][0].shape[1] == 1:
        return None
    draws = values[0]
    parts = components([draws])
    given = len(draws) == 1 and not drawable(rft)
    if given:
        parts = replace(parts, base=parts.replicate or assumed().replicate, replicate=None, base_problem=None)
    if parts.base is None:
        parts = replace(parts, base=assumed().base)
    if parts.replicate is None:
        parts = replace(parts, replicate=assumed().replicate if len(draws) == 1 and not given else None)
    if parts.rest is None or not parts.rest.df:
        parts = replace(parts, rest=assumed().rest)
    size = round(float(np.mean([len(draw) for draw in draws])))
    problems, prices = draws[0].shape[1], prices_of((rft, control))
    if given:
        return parts, Design(size, 1, problems, given=True), replace(prices, draw=0.0)
    return parts, Design(len(draws), size, problems), prices


def assumed_words(parts: Components, design: Design) -> str:
    """', with the noise of draws assumed': of the components that the study does not show; '' where it shows all."""
    units = "replicates" if design.given else "draws"
    named = ((units, parts.base), ("replicates", parts.replicate), ("answers", parts.rest))
    unknown = [name for name, part in named if part is not None and math.isnan(part.df)]
    listed = " and ".join(filter(None, [", ".join(unknown[:-1]), *unknown[-1:]]))
    return f", with the noise of {listed} assumed" if unknown else ""


def prices_of(points: Sequence[Point]) -> Prices:
    """Minutes of the parts of a study of some settings, by the costs in their records; what settings share is paid once."""
    scoring = [s.seconds for p in points for c in p.cells for s in c.cost if s.name == "evaluate"]
    sizes = [c.accuracy.n for p in points for c in p.cells if c.accuracy is not None]
    problem = sum(scoring) / sum(sizes) * len(points) / SECONDS_PER_MINUTE if sizes else 0.0
    replicate = own_hours(points) * MINUTES_PER_HOUR
    scored = problem * float(np.mean(sizes)) if sizes else 0.0
    return Prices(base_hours(points[0]) * MINUTES_PER_HOUR, max(0.0, replicate - scored), problem)


def budget_text(points: Sequence[Point], outcomes: Outcomes, *, minutes: float) -> str:
    """Per gain over matched SFT: what the given minutes would buy best, and what the study at hand wastes."""
    lines, names = [], base_names(p.cell for p in points)
    for rft, control in matched_pairs(points):
        found = gain_noise(rft, control, outcomes)
        if found is None:
            continue
        parts, design, prices = found
        best = best_design(parts, prices, minutes=minutes, most_problems=most_problems(rft), given=design.given)
        now = f"now {design.words()}{assumed_words(parts, design)}"
        lines.append(f"{names[rft.cell.base]}, {setting_label(rft.cell)}: {now}")
        if best is None:
            units = "replicates" if design.given else "draws"
            lines.append(
                f"  {VERDICT_UNITS} {units}, the fewest that give a verdict, cost more than {minutes:g} minutes"
            )
        else:
            width = f"±{best.half_width(parts):.2f} points for {best.minutes(prices):.3g} minutes"
            lines.append(f"  {minutes:g} minutes buy best: {best.words()} ({width})")
        lines += [f"  {line}" for line in wasted(parts, design)]
    if len(names) > 1 and lines:
        lines.append(
            f"Each line spends {minutes:g} minutes on its own base; a mean over {len(names)} bases needs fewer draws of "
            "each, as its error shrinks with bases and draws together."
        )
    return "\n".join(lines) or "no RFT cell has its sft_matched control with outcomes"
