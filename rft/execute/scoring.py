"""Scores of a cell from its rows of outcomes: what its record says, computed when it is written and again by `rft verify`.

rows = [Scored.from_json(row) for row in rows_at(folder / "outcomes.jsonl.gz")]
row_scores(rows)["maj1@1"].value, row_rates(rows)["no_answer"].n
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rft.records import Score
from rft.scores import rates_of, scores_of
from rft.stages.rows import Graded, Scored
from rft.votes import Tally


def row_scores(outcomes: Sequence[Scored]) -> dict[str, Score]:
    """Of the greedy solutions, of the draws and of the numbers-changed copies, where there are some."""
    tallies = {row.greedy.id: Tally.of(row.draws.outcomes, row.draws.rivals) for row in outcomes if row.draws}
    pairs = _copied(outcomes)
    copies = _letters(copy for copy, _ in pairs), _letters(original for _, original in pairs)
    return scores_of(_letters(row.greedy for row in outcomes), tallies=tallies, copies=copies)


def row_rates(outcomes: Sequence[Scored]) -> dict[str, Score]:
    """Shares of the greedy solutions, of all test problems."""
    kinds = [row.greedy.kind for row in outcomes if row.greedy.kind is not None]
    return rates_of(_letters(row.greedy for row in outcomes), kinds="".join(kinds) if kinds else None)


def change_of_copies(outcomes: Sequence[Scored]) -> dict[str, float]:
    """Copy minus original over the problems that have a copy, with its paired standard error."""
    change = Score.mean([float(copy.is_right) - float(original.is_right) for copy, original in _copied(outcomes)])
    return {"difference": change.value, "difference_se": change.se}


def _copied(outcomes: Sequence[Scored]) -> list[tuple[Graded, Graded]]:
    """(copy, original) of every problem that has a copy."""
    return [(row.perturbed, row.greedy) for row in outcomes if row.perturbed is not None]


def _letters(graded: Iterable[Graded]) -> str:
    return "".join(one.outcome for one in graded)
