"""What a check of a study ended with: it holds, it differs, or it could not be made.

found = [same("scores", "nano-s_sft_f1_s0-1a2b3c4d"), unchecked("digests", "nano-s...", "no digests.json")]
print(summary_text(found))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

MOST_PLACES = 3  # that are named where many lack one thing


class Verdict(Enum):
    """How a check ended."""

    SAME = "same"
    DIFFERS = "differs"
    UNCHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One check of one thing."""

    check: str  # its name
    place: str  # cell, file or stage
    verdict: Verdict
    why: str = ""


def same(check: str, place: str) -> Finding:
    """It holds."""
    return Finding(check, place, Verdict.SAME)


def differs(check: str, place: str, why: str) -> Finding:
    """It does not."""
    return Finding(check, place, Verdict.DIFFERS, why)


def unchecked(check: str, place: str, why: str) -> Finding:
    """It could not be made."""
    return Finding(check, place, Verdict.UNCHECKED, why)


def compared(check: str, place: str, faults: Iterable[str]) -> list[Finding]:
    """The faults, or that there are none."""
    return [differs(check, place, why) for why in faults] or [same(check, place)]


def failed(findings: Iterable[Finding]) -> bool:
    """Whether anything differs."""
    return any(one.verdict is Verdict.DIFFERS for one in findings)


def summary_text(findings: Sequence[Finding]) -> str:
    """Counts for each check, then what differs, then what was not checked and why."""
    names = list(dict.fromkeys(one.check for one in findings))
    width = max(map(len, names), default=0)
    lines = [_counts(name, [one for one in findings if one.check == name], width) for name in names]
    bad = [one for one in findings if one.verdict is Verdict.DIFFERS]
    lines += [f"differs: {one.check}: {one.place}: {one.why}" for one in bad]
    gaps: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        if one.verdict is Verdict.UNCHECKED:
            gaps.setdefault((one.check, one.why), []).append(one.place)
    lines += [f"not checked: {check}: {_places(places)}: {why}" for (check, why), places in gaps.items()]
    return "\n".join([*lines, f"{len(bad)} differ" if bad else "nothing differs"])


def _counts(name: str, own: Sequence[Finding], width: int) -> str:
    count = {verdict: sum(one.verdict is verdict for one in own) for verdict in Verdict}
    parts = [f"{count[Verdict.SAME]:>6,} same", f"{count[Verdict.DIFFERS]:,} differ"]
    parts += [f"{count[Verdict.UNCHECKED]:,} not checked"] if count[Verdict.UNCHECKED] else []
    return f"{name:<{width}}  {', '.join(parts)}"


def _places(places: Sequence[str]) -> str:
    named = list(dict.fromkeys(places))
    return ", ".join(named[:MOST_PLACES]) + (
        f" and {len(named) - MOST_PLACES} more" if len(named) > MOST_PLACES else ""
    )
