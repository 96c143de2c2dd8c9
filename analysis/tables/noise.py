"""Where the noise is: the standard deviation that each source adds to a result, as text and as rows.

print(noise_summary(points, outcomes))
header, rows = noise_rows(points, outcomes)
rows[0]      # ['SFT', '2 bases, 12 draws, 36 seeds', '10.7 (7.1 to 21.8)', '1.3 (0.9 to 2.2)', ...], in points
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.load.cells import MATCHED
from analysis.load.ladders import shared_tops
from analysis.load.outcomes import Outcomes
from analysis.load.points import Contrast, Point, contrast_values
from analysis.load.query import same_but, where
from analysis.stats.components import Component, components
from analysis.tables.results import align, wrap

HEADER = ("result", "of", "base draw", "replicate", "problem", "problem by draw", "one answer")
NOTE = (
    "Standard deviations in points (95 %), of one draw of the base, one replicate within a draw, one problem, one answer: by "
    "restricted maximum likelihood over all base configurations, the last two over those with several replicates. Empty: the "
    "design cannot tell it from another, or the values do not vary. A study's "
    "error shrinks with the root of how many of each it has; problems are counted in hundreds, draws in ones."
)
TOGETHER = "*"  # behind a number that holds the next finer source too
TOGETHER_NOTE = (
    f"{TOGETHER} One replicate of each draw: the draw's and the replicate's variances together; a second replicate of draws "
    "would tell them apart."
)


def noise_rows(points: Sequence[Point], outcomes: Outcomes) -> tuple[tuple[str, ...], list[list[str]]]:
    """(header, rows): one row for each result that claims rest on."""
    rows = []
    for name, groups in results_of(points).items():
        values = contrast_values(groups, outcomes) if groups else None
        if values is None or values[0][0].shape[1] == 1 or sum(len(draw) for draws in values for draw in draws) == 1:
            continue
        found = components(values)
        parts = (found.base, found.replicate, found.problem, found.base_problem, found.rest)
        if not any(parts):
            continue
        counts = (len(values), sum(map(len, values)), sum(len(draw) for draws in values for draw in draws))
        of = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(counts, WORDS, strict=True))
        texts = [component_text(part) for part in parts]
        if not any(texts):
            continue
        if found.together:
            texts = [
                f"{text}{TOGETHER * (bool(text) and part is found.base)}"
                for part, text in zip(parts, texts, strict=True)
            ]
        rows.append([name, of, *texts])
    return HEADER, rows


WORDS = ("base", "draw", "seed")


def results_of(points: Sequence[Point]) -> dict[str, list[Contrast]]:
    """SFT on all data, and RFT minus its controls at the k that claims take: per base the contrast."""
    sft = {p.cell.base: p for p in where(points, method="sft", data_frac=1.0)}
    tops = shared_tops(points)
    pairs = {name: [(top, same_but(top, points, method=name)) for top in tops] for name in ("sft", MATCHED)}

    def minus(name: str) -> list[Contrast]:
        return [((top, other), (1.0, -1.0)) for top, other in pairs[name] if other is not None]

    return {
        "SFT": [((point,), (1.0,)) for point in sft.values()],
        "RFT - SFT": minus("sft"),
        "RFT - SFT at equal steps": minus(MATCHED),
    }


def component_text(part: Component | None) -> str:
    """'10.7 (7.1 to 21.8)'; nothing where the design cannot show it, or where the values do not vary."""
    if part is None or not part.interval[1] > 0:
        return ""
    low, high = part.sd_interval
    return f"{part.sd:.1f} ({low:.1f} to {high:.1f})"


def noise_summary(points: Sequence[Point], outcomes: Outcomes) -> str:
    """The rows as text; '' where there is nothing to show."""
    header, rows = noise_rows(points, outcomes)
    if not rows:
        return ""
    return "\n".join(["Where the noise is:", align(header, rows, left=2), *map(wrap, noise_notes(rows))])


def noise_notes(rows: Sequence[Sequence[str]]) -> list[str]:
    """What the numbers of rows are."""
    together = any(text.endswith(TOGETHER) for row in rows for text in row)
    return [NOTE, *([TOGETHER_NOTE] if together else [])]
