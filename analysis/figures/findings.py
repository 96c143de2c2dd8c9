"""A figure's title: what it found, in words made of its own fits and of the rulings on the claims. Nothing is computed anew.

    gains_of("rft", "k")(fits, claims)                # 'RFT gains +0.6 to +0.9 points per doubling of k, ...'
    of_claims("4a", "4b")(fits, claims)               # 'RFT beats SFT: +4.5 points (95 % +1.2 to +7.8)'

Each function gets the entries that fits.json has of the figure, and the claims by their numbers. '' where neither says a
thing: the figure then has its neutral name alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.claims.rulings import ClaimResult, Ruling
from analysis.compare.comparisons import Standing
from analysis.compare.controls import Harder
from analysis.stats.uncertainty import Kind
from analysis.style import METHODS

Entries = Sequence[Mapping[str, Any]]
Claims = Mapping[str, ClaimResult]
Says = Callable[[Entries, Claims], str]

# What a claim's difference is of, in a title's words: (where it holds, where the opposite holds, the difference)
WORDS: dict[str, tuple[str, str, str]] = {
    "2c": ("ICL is steeper in pretraining loss than SFT", "SFT is steeper in loss than ICL", "slope of ICL minus SFT"),
    "3": ("Better models gain less per doubling of data", "Better models gain more per doubling", "gain against loss"),
    "4a": ("RFT beats the better SFT control", "RFT trails the better SFT control", "RFT minus the better SFT"),
    "4b": ("RFT beats SFT", "RFT trails SFT", "RFT minus SFT"),
    "5a": ("Better models gain less from RFT", "Better models gain more from RFT", "RFT's gain against loss"),
    "5b": ("Better models gain less from a union's paths", "Better models gain more from unions", "gain against loss"),
    "6a": ("More distinct paths, more gain", "More distinct paths, less gain", "gain"),
    "8a": ("Self-query does not help", "Self-query helps", "self-query minus SFT"),
    "8b": ("Self-revising does not help", "Self-revising helps", "self-revising minus SFT"),
}

ONE_CONTROL = ("RFT beats {}", "RFT trails {}", "RFT minus {}")  # of 4a: the one that it is against


def of_claims(*numbers: str) -> Says:
    """What the first of these claims that has an estimate says."""

    def says(_fits: Entries, claims: Claims) -> str:
        found = [claims[number] for number in numbers if number in claims]
        return next((claim_words(result) for result in found if result.estimate is not None), "")

    return says


def of_rulings(*numbers: str) -> Says:
    """The same of claims that could be tested."""

    def says(fits: Entries, claims: Claims) -> str:
        tested = {number: found for number, found in claims.items() if found.ruling is not Ruling.NOT_TESTABLE}
        return of_claims(*numbers)(fits, tested)

    return says


def claim_words(result: ClaimResult) -> str:
    """A ruling as a title: what holds, or that nothing separates, with the difference and its interval."""
    if result.estimate is None or result.claim not in WORDS:
        return ""
    holds, fails, what = WORDS[result.claim]
    if result.claim == "4a" and not isinstance(result.estimate, Harder):
        holds, fails, what = (words.format(result.against or "its SFT control") for words in ONE_CONTROL)
    if result.ruling is Ruling.NOT_TESTABLE:
        return f"{_upper(what)} on these bases: {_of_these(result)}; no verdict on new ones"
    amount = _amount(result.estimate.value, result.estimate.interval(), unit=result.unit)
    if result.ruling is Ruling.EQUIVALENT:
        return f"{_upper(what)}: none beyond ±{result.margin:g} {result.unit} ({amount})"
    if result.ruling is Ruling.NOT_SEPARABLE:
        return _not_separable(result, what=what, amount=amount)
    return f"{holds if result.ruling is Ruling.SUPPORTED else fails}: {amount}"


MISSING = {
    Standing.FLAT: "no positive control separates",
    Standing.FEW: "too few draws of a positive control",
    Standing.NEVER: "no paired positive control was run in each base",
}


def _not_separable(result: ClaimResult, *, what: str, amount: str) -> str:
    """That nothing separates; of a difference that lies apart from 0 what keeps it from a verdict."""
    assert result.estimate is not None
    why = MISSING[result.control] if result.control else "not after Holm's correction" if result.p_holm else ""
    low, high = result.estimate.interval()
    if why and not low <= 0 <= high:
        return f"{_upper(what)} is {'above' if low > 0 else 'below'} 0, {why}: {amount}"
    return f"Nothing separates{f', {why}' if result.control else ''}: {what} {amount}"


def _of_these(result: ClaimResult) -> str:
    """The difference of the bases as they are."""
    assert result.estimate is not None
    these = result.estimate.these_bases
    if not math.isfinite(these.half_width()):
        return f"{result.estimate.value:+.1f} {result.unit}"
    noise = "; item noise only" if these.kind is Kind.ITEMS else ""
    return f"{_amount(these.value, these.interval(), unit=result.unit).removesuffix(')')}{noise})"


def _amount(value: float, interval: tuple[float, float], *, unit: str) -> str:
    low, high = interval
    return f"{value:+.1f} {unit} (95 % {low:+.1f} to {high:+.1f})"


def gains_of(method: str, amount: str) -> Says:
    """Slopes of a method's lines, a base each: their range, and how many separate from 0."""

    def says(fits: Entries, _claims: Claims) -> str:
        mine = [entry for entry in fits if entry.get("method") == method and "b" in entry]
        if not mine:
            return ""
        slopes = span([entry.get("slope_estimate", {"value": entry["b"]})["value"] for entry in mine], signed=True)
        text = f"{METHODS[method].label} gains {slopes} points per doubling of {amount}"
        judged = [_separates(entry) for entry in mine if "slope_estimate" in entry]
        if not judged:
            return text
        some = "" if len(judged) == len(mine) else " that have an interval"
        return f"{text}; {_separated(sum(judged), len(judged))}{some}"

    return says


def _separates(entry: Mapping[str, Any]) -> bool:
    low, high = entry["slope_estimate"]["interval_95"]
    return low is not None and not low <= 0 <= high


def _separated(count: int, of: int) -> str:
    if count == 0:
        return "none separates from 0"
    if count == of == 2:
        return "apart from 0 in both bases"
    return f"apart from 0 in {'all' if count == of and of > 1 else f'{count} of'} {of} base{'s' if of > 1 else ''}"


def first_of(*functions: Says) -> Says:
    """What the first of some functions says that says a thing."""

    def says(fits: Entries, claims: Claims) -> str:
        return next((text for function in functions if (text := function(fits, claims))), "")

    return says


def loss_lines(fits: Entries, _claims: Claims) -> str:
    """Lines over bases: points lost per unit of loss, by setting; where there are several loss texts, by text besides."""
    every = [entry for entry in fits if "b" in entry]
    lines = [entry for entry in every if not _may_be_flat(entry)]
    several = len({entry["loss_text"] for entry in lines}) > 1
    names = [f"{e['setting']} on {e['loss_text']}" if several else e["setting"] for e in lines]
    told = [f"{name} {round(-e['b'])}" for name, e in zip(names, lines, strict=True)]
    more = f" and {len(told) - MOST_LINES} more" if len(told) > MOST_LINES else ""
    flat = f"; {len(every) - len(lines)} not told from flat" if len(lines) < len(every) else ""
    if not told:
        return "No line over pretraining loss is told from flat" if every else TOO_FEW_BASES
    return f"A unit of pretraining loss costs points: {', '.join(told[:MOST_LINES])}{more}{flat}"


def _may_be_flat(line: Mapping[str, Any]) -> bool:
    low, high = line["b_interval_95"]
    return not (low > 0 or high < 0)


MOST_LINES = 3  # that a title names
TOO_FEW_BASES = "Too few bases for a line over pretraining loss"


def powers(fits: Entries, _claims: Claims) -> str:
    """Exponents of the power laws."""
    found = [entry["b"] for entry in fits if "b" in entry]
    if not found:
        return "Too few values of k for a power law"
    return f"Distinct paths grow as k to the power {span(found, digits=2)}"


def path_lines(fits: Entries, _claims: Claims) -> str:
    """Points per doubling of distinct paths: the slopes of the lines, a base each."""
    slopes = [entry["b"] for entry in fits if "b" in entry]
    if not slopes:
        return "Too few counts of distinct paths for a line"
    return f"A doubling of distinct paths goes with {span(slopes, signed=True)} points of accuracy"


def gain_lines(fits: Entries, claims: Claims) -> str:
    """The claim on gain per doubling, and whether its sign hangs on the epoch rule."""
    signs = {entry["b"] > 0 for entry in fits if "b" in entry}
    text = of_claims("3")(fits, claims)
    if not text:
        return "" if signs else TOO_FEW_BASES
    return text + ("; the sign depends on the epoch rule" if len(signs) > 1 else "")


def published_lines(fits: Entries, _claims: Claims) -> str:
    """Of the original figure 2."""
    told = [f"{str(e['series']).split(' ')[0]} loses {-e['b']:.0f}" for e in fits if "b" in e]
    return f"Per nat of pretraining loss {' and '.join(told)} points" if told else ""


def costs(fits: Entries, claims: Claims) -> str:
    """What RFT costs beside SFT, of the cells of claim 4b, and whether it pays; without such, of another setting."""
    known = [entry for entry in fits if "flops_over_sft" in entry]
    if claimed := [entry for entry in known if entry["of_claim"]]:
        return _times(claimed) + _pays(claims)
    found: dict[tuple[bool, int, str], list[Mapping[str, Any]]] = {}
    for entry in known:
        found.setdefault((not entry["donors"], entry["k"] or 0, entry["setting"]), []).append(entry)
    return _times(max(found.items(), key=lambda kind: (kind[0][0], len(kind[1]), kind[0]))[1]) if found else ""


def _times(entries: Entries) -> str:
    """How many times SFT's compute some cells take; of several recipes what their names have in common."""
    names = {entry["setting"] for entry in entries}
    name = names.pop() if len(names) == 1 else f"RFT k={entries[0]['k']}"
    return f"{name} takes {span([entry['flops_over_sft'] for entry in entries])} times the compute of SFT"


def _pays(claims: Claims) -> str:
    result = claims.get("4b")
    if result is None or result.estimate is None:
        return ""
    gain = f"{result.estimate.value:+.1f} {result.unit}"
    return {
        Ruling.SUPPORTED: f" and beats it ({gain})",
        Ruling.CONTRADICTED: f" and trails it ({gain})",
        Ruling.NOT_TESTABLE: f" for {gain} on these bases, no verdict on new ones",
    }.get(result.ruling, f"; whether it gains does not separate ({gain})")


def rates(fits: Entries, _claims: Claims) -> str:
    """What a new path is worth, and whether that is told from nothing."""
    found = [worth for e in fits if (worth := (e.get("log") or {}).get("per_new_path"))]
    if not found:
        return ""
    apart = sum(not worth["interval_95"][0] <= 0 <= worth["interval_95"][1] for worth in found)
    words = "none told from 0" if not apart else f"{apart} of {len(found)} told from 0"
    return f"A new path is worth {span([w['value'] for w in found], digits=2)} fresh human problems; {words}"


def rate_lines(fits: Entries, _claims: Claims) -> str:
    """Whether the worth of a path changes along an axis."""
    lines = [e for e in fits if "b" in e]
    apart = [e for e in lines if not e["b_interval_95"][0] <= 0 <= e["b_interval_95"][1]]
    if not lines:
        return "Too few rates for a line"
    named = [str(e["series"]).rpartition(" ")[2] for e in apart]
    return f"A path's worth changes with {' and '.join(named)}" if named else "A path's worth: no trend separates"


def votes(fits: Entries, _claims: Claims) -> str:
    """Majority and any of the most draws."""
    ends = {name: [_last(e[name]) for e in fits if e.get(name)] for name in ("maj", "pass")}
    if not all(ends.values()):
        return ""
    most = max(k for k, _ in ends["maj"])
    maj, passed = (span([value for k, value in ends[name] if k == most]) for name in ("maj", "pass"))
    return f"Of {most} draws the majority is right on {maj} %, at least one on {passed} %"


def emitted(fits: Entries, _claims: Claims) -> str:
    """Distinct paths among the most draws."""
    ends = [_last(e["distinct"]) for e in fits if e.get("distinct")]
    most = max((k for k, _ in ends), default=0)
    return f"{most} draws of a question give {span([v for k, v in ends if k == most])} distinct paths" if ends else ""


def _last(curve: Mapping[str, Mapping[str, float]]) -> tuple[int, float]:
    most = max(curve, key=int)
    return int(most), curve[most]["value"]


def overlap(fits: Entries, _claims: Claims) -> str:
    """Who found most alone, and what all found."""
    (entry,) = fits
    alone = {name: count for name, count in entry["regions"].items() if " & " not in name}
    if not alone:
        return "No path was found by one model alone"
    name = max(alone, key=lambda name: alone[name])
    shared = entry["total"] - sum(alone.values())
    share, common = 100 * alone[name] / entry["total"], 100 * shared / entry["total"]
    return f"{name} alone found {share:.0f} % of the paths; {common:.0f} % were found by more than one model"


def histograms(fits: Entries, _claims: Claims) -> str:
    """Mean correct and distinct paths."""
    means = {kind: [e["mean"] for e in fits if str(e["series"]).endswith(kind)] for kind in ("correct", "distinct")}
    correct, distinct = (span(values, digits=2) for values in means.values())
    return f"{correct} correct samples of a question leave {distinct} distinct paths (means)"


def predicted(fits: Entries, _claims: Claims) -> str:
    """How many held-out cells lie in the interval that was given for them."""
    known = [e for e in fits if e.get("measured") is not None]
    inside = sum(e["low"] <= e["measured"] <= e["high"] for e in known)
    return f"{inside} of {len(known)} held-out cells lie inside their 95 % prediction interval" if known else ""


def span(values: Sequence[float], *, digits: int = 1, signed: bool = False) -> str:
    """'0.3 to 7.2', or one number where both ends are written alike."""
    ends = [f"{end:{'+' if signed else ''}.{digits}f}" for end in (min(values), max(values))]
    return " to ".join(dict.fromkeys(ends))


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
