"""Scores of a cell from its outcomes: what its record says, computed when it is written and again by `rft verify`.

rows = [Scored.from_json(row) for row in rows_at(folder / "outcomes.jsonl.gz")]
scores_of(rows)["maj1@1"].value, rates_of(rows)["no_answer"].n
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.records import Outcome, Score
from rft.stages.rows import Graded, Scored
from rft.votes import Tally, pool_scores

ERROR_KINDS = {"a": "arithmetic_error", "p": "plan_error", "l": "lucky"}  # the embedded world's verdicts


def scores_of(outcomes: Sequence[Scored]) -> dict[str, Score]:
    """Of the greedy solutions, of the draws and of the numbers-changed copies, where there are some."""
    scores = {"maj1@1": Score.binomial(sum(row.greedy.is_right for row in outcomes), len(outcomes))}
    tallies = {row.greedy.id: Tally.of(row.draws.outcomes, row.draws.rivals) for row in outcomes if row.draws}
    return scores | (pool_scores(tallies) if tallies else {}) | _of_copies(outcomes)


def rates_of(outcomes: Sequence[Scored]) -> dict[str, Score]:
    """Shares of the greedy solutions, of all test problems."""
    n = len(outcomes)
    letters = [row.greedy.outcome for row in outcomes]
    rates = {
        "no_answer": Score.binomial(letters.count(Outcome.NO_ANSWER.letter), n),
        "truncated": Score.binomial(letters.count(Outcome.TRUNCATED.letter), n),
    }
    kinds = [row.greedy.kind for row in outcomes]
    if kinds[0] is not None:
        rates |= {name: Score.binomial(kinds.count(letter), n) for letter, name in ERROR_KINDS.items()}
    return rates


def change_of_copies(outcomes: Sequence[Scored]) -> dict[str, float]:
    """Copy minus original over the problems that have a copy, with its paired standard error."""
    change = Score.mean([float(copy.is_right) - float(original.is_right) for copy, original in _copied(outcomes)])
    return {"difference": change.value, "difference_se": change.se}


def _of_copies(outcomes: Sequence[Scored]) -> dict[str, Score]:
    """Accuracy on the copies, and on the originals of just these problems, which lean towards plain equations."""
    pairs = _copied(outcomes)
    if not pairs:
        return {}
    return {
        "maj1@1_perturbed": Score.binomial(sum(copy.is_right for copy, _ in pairs), len(pairs)),
        "maj1@1_originals_of_perturbed": Score.binomial(sum(original.is_right for _, original in pairs), len(pairs)),
    }


def _copied(outcomes: Sequence[Scored]) -> list[tuple[Graded, Graded]]:
    """(copy, original) of every problem that has a copy."""
    return [(row.perturbed, row.greedy) for row in outcomes if row.perturbed is not None]
