"""Scores of a cell from the letters of its outcomes: what a record says, and what the outcomes beside it must say.

scores_of("CWCN", tallies={}, copies=("CW", "CC"))      # letters of `rft.records.Outcome`, one a test problem
rates_of("CWCN")["no_answer"].value                     # 0.25
"""

from __future__ import annotations

from collections.abc import Mapping

from rft.records import Outcome, Score
from rft.votes import Tally, pool_scores

COPY, ORIGINALS = (
    "maj1@1_perturbed",
    "maj1@1_originals_of_perturbed",
)  # of the numbers-changed copies, and of their originals
SHARES = {"no_answer": Outcome.NO_ANSWER, "truncated": Outcome.TRUNCATED}
ERROR_KINDS = {"a": "arithmetic_error", "p": "plan_error", "l": "lucky"}  # the embedded world's verdicts


def scores_of(greedy: str, *, tallies: Mapping[str, Tally], copies: tuple[str, str] | None = None) -> dict[str, Score]:
    """Of the greedy solutions, of the draws (votes by problem), and of the numbers-changed copies, where there are some.

    `copies`: letters of the copies, and of the originals of just these problems, which lean towards plain equations.
    """
    scores = {"maj1@1": _right(greedy)}
    if tallies:
        scores |= pool_scores(tallies)
    if copies is not None and copies[0]:
        scores |= {COPY: _right(copies[0]), ORIGINALS: _right(copies[1])}
    return scores


def rates_of(greedy: str, *, kinds: str | None = None) -> dict[str, Score]:
    """Shares of the greedy solutions, of all test problems; `kinds`: letters of the embedded world's verdicts."""
    rates = {name: Score.binomial(greedy.count(outcome.letter), len(greedy)) for name, outcome in SHARES.items()}
    if kinds is not None:
        rates |= {name: Score.binomial(kinds.count(letter), len(greedy)) for letter, name in ERROR_KINDS.items()}
    return rates


def _right(letters: str) -> Score:
    return Score.binomial(letters.count(Outcome.CORRECT.letter), len(letters))
