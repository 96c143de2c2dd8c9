"""A record against its outcomes: every score is computed again, every letter is compared with the answer that it stands for.

list(score_faults(record, rows))                     # ['maj1@1 value is 0.146875, its outcomes give 0.046875']
list(letter_faults(rows, rule="gsm8k"))              # ["w-0f3a: greedy is C, but 52 is not 51 under gsm8k"]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rft.execute.scoring import change_of_copies, row_rates, row_scores
from rft.records import Outcome, Record, Score, SetRecord
from rft.stages.rows import Graded, Scored, Voted
from rft.text.answers import equal
from rft.text.scoring import rivals

TOLERANCE = 1e-9  # of means that another processor adds up


def score_faults(part: Record | SetRecord, rows: Sequence[Scored]) -> Iterator[str]:
    """Scores and rates of a record, or of one of its test sets, that its outcomes do not give."""
    ids = [row.greedy.id for row in rows]
    if len(set(ids)) < len(ids):
        yield f"{len(ids) - len(set(ids))} problems stand twice"
    yield from _compared(part.scores, row_scores(rows))
    yield from _compared(part.rates, row_rates(rows))
    copies = part.data.get("perturbed")
    if copies is None and any(row.perturbed is not None for row in rows):
        yield "data.perturbed is lacking, its outcomes have copies with numbers changed"
    if copies is not None:
        for name, value in change_of_copies(rows).items():
            if abs(copies[name] - value) > TOLERANCE:
                yield f"perturbed.{name} is {copies[name]!r}, its outcomes give {value!r}"


def _compared(said: Mapping[str, Score], found: Mapping[str, Score]) -> Iterator[str]:
    for name in sorted({*said, *found}):
        if name not in found or name not in said:
            yield f"{name} is in the {'record' if name in said else 'outcomes'} alone"
            continue
        for field in ("value", "n", "se"):
            a, b = getattr(said[name], field), getattr(found[name], field)
            if abs(a - b) > TOLERANCE:
                yield f"{name} {field} is {a!r}, its outcomes give {b!r}"


def letter_faults(rows: Sequence[Scored], *, rule: str) -> Iterator[str]:
    """Outcomes that contradict the answer beside them. A truncated one may have any. Raises ValueError as the rule does."""
    for row in rows:
        for what, one in (("greedy", row.greedy), ("perturbed", row.perturbed)):
            if one is not None and (fault := _fault(one, rule)):
                yield f"{one.id}: {what} {fault}"
        if row.draws is not None:
            yield from (f"{row.greedy.id}: {fault}" for fault in _draw_faults(row.draws, rule))


def _draw_faults(draws: Voted, rule: str) -> Iterator[str]:
    for number, (letter, answer) in enumerate(zip(draws.outcomes, draws.answers, strict=True)):
        if fault := _fault(Graded(draws.id, draws.gold, letter, answer), rule):
            yield f"draw {number} {fault}"
    if rivals(draws.outcomes, draws.answers, rule=rule) != draws.rivals:
        yield "its draws vote for other answers than theirs"


def _fault(one: Graded, rule: str) -> str:
    outcome = Outcome.from_letter(one.outcome)
    if outcome is Outcome.TRUNCATED:
        return ""
    if one.answer is None:
        return "" if outcome is Outcome.NO_ANSWER else f"is {one.outcome} without an answer"
    if outcome is Outcome.NO_ANSWER:
        return f"is {one.outcome}, with the answer {one.answer}"
    right = equal(rule, one.answer, one.gold)
    if right is (outcome is Outcome.CORRECT):
        return ""
    return f"is {one.outcome}, but {one.answer} is {'' if right else 'not '}{one.gold} under {rule}"


def rule_of(setting: Mapping[str, Any]) -> str:
    """The rule under which a test set is graded."""
    return str(setting["data.rule"])
