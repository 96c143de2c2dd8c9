"""Hindsight relabelling: the answer that a sampled path does reach, whatever question it was sampled for (paper appendix D).

    >>> path = hindsight("makes <<3*17=51>>51\\nleft <<51-6=45>>45\\n#### 46", kind="annotated", tolerance=1e-3)
    >>> path.text
    'makes <<3*17=51>>51\\nleft <<51-6=45>>45\\n#### 45'
    >>> path.answer, path.key, path.fault
    ('45', '3*17=51|51-6=45', None)

The path's equations must hold. Its final answer becomes the result of its last equation, so that text and answer agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from rft.text import equations
from rft.text.numbers import canonical_number
from rft.text.path_keys import path_equations

ANSWER_MARK = "####"
FAULTS = ("no_equation", "false_equation", "no_answer", "no_result")


@dataclass(frozen=True)
class Reading:
    """A path as the solution of another question; `fault` says why it cannot be one."""

    text: str  # with the answer that its last equation gives
    key: str  # its equations joined with '|'
    answer: str
    fault: str | None  # one of FAULTS


def hindsight(text: str, *, kind: str, tolerance: float) -> Reading:
    """The path with the answer that its equations reach. `kind` of equations: annotated | plain.

    Faults: no equation, one that does not hold to within `tolerance`, no `####` line (unfinished), and a last equation
    whose right side is not a number. Raises ValueError for an unknown kind.
    """
    listed = path_equations(text, kind=kind)
    key = "|".join(listed)
    if not listed:
        return Reading(text, key, "", "no_equation")
    if not equations.check_equations(listed, tolerance=tolerance).ok:
        return Reading(text, key, "", "false_equation")
    steps, mark, _ = text.partition(ANSWER_MARK)
    if not mark:
        return Reading(text, key, "", "no_answer")
    answer = canonical_number(listed[-1].rpartition("=")[2])
    if answer is None:
        return Reading(text, key, "", "no_result")
    return Reading(f"{steps}{ANSWER_MARK} {answer}", key, answer, None)
