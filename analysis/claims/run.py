"""The paper's claims as named tests: statistic, margin and level are written down, and committed, before any study is run.

    results = run_claims(study_view(points, outcomes))
    print(claims_table({"published": run_claims(published_view()), "quickstart": results}))

Levels: 5 % per primary contrast after Holm's correction over the primary contrasts that could be tested; every other
result is exploratory and stands at its own 5 %. Verdicts are about new bases of this kind and need five draws of a base, or
five bases. A ruling that Holm's correction takes away becomes 'not separable'.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from analysis import paper
from analysis.claims.donors import claim_self_made, claim_unions
from analysis.claims.gains import claim_gain_shrinks, claim_rft_gain_shrinks
from analysis.claims.rft import claim_more_paths, claim_rft_beats_sft
from analysis.claims.rulings import ALPHA, ClaimResult, Ruling, StudyView
from analysis.claims.scaling import claim_log_linear, claim_loss_predicts
from analysis.compare.comparisons import holm, judge
from analysis.compare.limits import limits_for
from analysis.load.names import unit_name
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.recipes import main_recipe

CLAIMS: dict[str, Callable[[StudyView], list[ClaimResult]]] = {
    "1": claim_log_linear,
    "2": claim_loss_predicts,
    "3": claim_gain_shrinks,
    "4": claim_rft_beats_sft,
    "5": claim_rft_gain_shrinks,
    "6": claim_more_paths,
    "7": claim_unions,
    "8": claim_self_made,
}


def study_view(points: Sequence[Point], outcomes: Outcomes) -> StudyView:
    """A measured study: its settings of the commonest recipe."""
    measured = [p for p in points if p.cell.source is None]
    main = main_recipe(measured).points
    taken = set(map(id, main))
    return StudyView(main, outcomes, published=False, others=tuple(p for p in measured if id(p) not in taken))


@cache
def published_view() -> StudyView:
    """The published study: SFT by the better of two epoch settings as in the paper's figures, the two rules as variants."""
    nothing = Outcomes({}, {})
    cells = {rule: [c for c in paper.table_points(rule=rule).cells if c.on_all_examples] for rule in paper.RULES}
    by_rule = {rule: tuple(make_points(cells[rule], nothing)) for rule in paper.RULES}
    return StudyView(by_rule[paper.RULES[0]], nothing, published=True, variants=tuple(by_rule.items())[1:])


def run_claims(view: StudyView) -> list[ClaimResult]:
    """Every claim's results in order, with Holm's correction over the primary contrasts; what would separate those that do
    not, primary ones at the level of Holm's first step.
    """
    results = [_in_unit(result, view) for test in CLAIMS.values() for result in test(view)]
    places = [i for i, result in enumerate(results) if result.primary and result.p is not None and _decided(result)]
    adjusted = holm([results[i].p or 0.0 for i in places])
    for place, p in zip(places, adjusted, strict=True):
        result = replace(results[place], p_holm=p)
        if p > ALPHA and result.ruling in (Ruling.SUPPORTED, Ruling.CONTRADICTED):
            lost = f"{result.reason}; {result.ruling.value} alone, but not after Holm's correction (p {p:.3f})"
            result = replace(result, ruling=Ruling.NOT_SEPARABLE, reason=lost)
        results[place] = result
    among = {place: len(places) for place in places}
    return [_with_needed(result, view, among=among.get(i, 1)) for i, result in enumerate(results)]


def _with_needed(result: ClaimResult, view: StudyView, *, among: int) -> ClaimResult:
    """The same with how large a study would separate it, as one of `among` that are corrected together."""
    if result.ruling is not Ruling.NOT_SEPARABLE or not result.about_zero or result.estimate is None:
        return result
    limits = limits_for(result.estimate, view.points)
    needed = judge(result.estimate, p=result.p_holm, among=among, limits=limits).needed_text
    at = f" at {100 * ALPHA:g} %/{among}" if among > 1 else ""
    return replace(result, reason=f"{result.reason}; to separate{at}: {needed}")


def _in_unit(result: ClaimResult, view: StudyView) -> ClaimResult:
    """Slopes on pretraining loss in the unit that the study's losses are in."""
    units = {unit_name(point.cell) for point in view.points if point.loss is not None}
    return replace(result, unit=result.unit.replace("per nat", f"per {units.pop()}")) if len(units) == 1 else result


def _decided(result: ClaimResult) -> bool:
    return result.ruling is not Ruling.NOT_TESTABLE


@cache
def published_claims() -> tuple[ClaimResult, ...]:
    """The claims on the published study."""
    return tuple(run_claims(published_view()))


def claims_table(studies: Mapping[str, Sequence[ClaimResult]]) -> str:
    """Markdown: one row per claim, a verdict per study side by side."""
    names = list(studies)
    lines = ["| | claim | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row in zip(*studies.values(), strict=True):
        first = row[0]
        mark = f"**{first.claim}**" if first.primary else first.claim
        cells = [f"{result.ruling.value}: {result.reason}" for result in row]
        lines.append(f"| {mark} | {first.title} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append("Bold: primary contrasts (Holm's correction over them); the others are exploratory.")
    return "\n".join(lines)


def rulings_table(studies: Mapping[str, Sequence[ClaimResult]]) -> str:
    """Markdown: one short row per claim: verdicts with the difference and its interval for new bases, and no reasons."""
    lines = ["| | claim | " + " | ".join(studies) + " |", "|---" * (len(studies) + 2) + "|"]
    for row in zip(*studies.values(), strict=True):
        mark = f"**{row[0].claim}**" if row[0].primary else row[0].claim
        lines.append(f"| {mark} | {row[0].title} | " + " | ".join(map(_short, row)) + " |")
    return "\n".join([*lines, "", RULINGS_NOTE])


RULINGS_NOTE = (
    "Bold: primary contrasts (Holm's correction over them). In brackets: the claim's statistic with its 95 % interval for "
    "new bases of this kind: new draws of these configurations for a mean over bases with several draws, other bases for a "
    "slope over bases and for bases of one draw. Not separable: neither holds beyond chance; not testable: what the test "
    "needs was not run."
)


def _short(result: ClaimResult) -> str:
    if result.ruling is Ruling.NOT_TESTABLE or result.estimate is None or result.estimate.new_bases is None:
        return result.ruling.value
    low, high = result.estimate.interval()
    return f"{result.ruling.value} ({result.estimate.value:+.2f} {result.unit}, {low:+.2f} to {high:+.2f})"


def facts_of(result: ClaimResult) -> list[str]:
    """What a ruling rests on, one sentence each: margin, error, p before and after Holm, exploratory details."""
    facts = [f"margin ±{result.margin:g} {result.unit}"] if result.margin is not None else []
    if result.estimate is not None and math.isfinite(result.estimate.se):
        facts.append(f"{result.estimate.value:+.3g} ± {result.estimate.se:.2g} {result.unit} (standard error)")
    if result.p is not None:
        facts.append(f"p {result.p:.2g}" + (f", after Holm's correction {result.p_holm:.2g}" if result.p_holm else ""))
    return [*facts, *result.details]


def claims_details(studies: Mapping[str, Sequence[ClaimResult]]) -> str:
    """Markdown: per claim its statistic and, study by study, what the ruling rests on."""
    lines = []
    for row in zip(*studies.values(), strict=True):
        lines += ["", f"## {row[0].claim} {row[0].title}", "", f"Statistic: {row[0].statistic}."]
        for name, result in zip(studies, row, strict=True):
            lines += ["", f"{name}: **{result.ruling.value}**. {result.reason}", ""]
            lines += [f"- {fact}" for fact in facts_of(result)]
    return "\n".join(lines)
