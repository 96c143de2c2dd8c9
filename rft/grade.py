"""Grade stored solutions under a named rule, without sampling anything again.

    python -m rft.grade --rule gsm8k FILE.jsonl                      # "-" is standard input
    python -m rft.grade --rule answer_line FILE.jsonl --per-item OUT.jsonl
    python -m rft.grade --matrix FILE.jsonl                          # or a study folder: all its samples.jsonl

A row is {"id": "g-1f3c", "gold": "72", "text": "48/2=24 ...\\n#### 72"}, optionally with "label" (true when a person or
another grader found it correct) and "truncated". Printed is one JSON object:
    {"n": 5276, "correct": 2001, "no_answer": 11, "accuracy": 0.379, "se": 0.0067, "agree": 5276, "disagree": 0}
Rows with a "draw" are draws of one model: where every id has K of them, K > 1, "pass@1", "maj1@K" and "pass@K" stand beside.
`--per-item` writes {"id", "outcome", "answer"} per row in input order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.records import SHOWN_FILE, Outcome, Score, whole_file
from rft.text import answers
from rft.text.rows import flag_field, gold_field, numbered_rows, text_field
from rft.text.scoring import rivals
from rft.votes import Tally, pool_scores


@dataclass(frozen=True)
class Item:
    """One row to grade."""

    id: str
    gold: str
    text: str
    label: bool | None
    truncated: bool
    is_draw: bool = False  # the row says which draw of its problem it is


def read_items(source: str) -> Iterator[Item]:
    """Items of a file, of standard input ("-"), or of every sample file in a study folder.

    Raises ValueError, with file and line, for rows without id, gold or text and for a label that is not true or false.
    """
    paths: list[str | Path] = sorted(Path(source).rglob(SHOWN_FILE)) if Path(source).is_dir() else [source]
    if not paths:
        raise ValueError(f"the folder {source} holds no {SHOWN_FILE}: give a study folder or a JSON-lines file")
    for path in paths:
        for line, row in numbered_rows(path):
            where = f"{path}: line {line}"
            label = row.get("label")
            if label not in (None, True, False):
                raise ValueError(f"{where} has the label {label!r}, expected true or false")
            yield Item(
                text_field(row, "id", where=where),
                gold_field(row, "gold", where=where),
                text_field(row, "text", where=where),
                None if label is None else bool(label),
                flag_field(row, "truncated", where=where),
                "draw" in row,
            )


def grade_items(items: Iterator[Item], *, rule: str, per_item: Path | None = None) -> dict[str, Any]:
    """The summary over all items. Raises ValueError when there are none, or for an unknown rule.

    `per_item` is written beside its place and moved there at the end: bad input leaves what was there before.
    """
    answers.rule_named(rule)
    outcomes: Counter[Outcome] = Counter()
    draws: dict[str, list[tuple[str, str | None]]] = {}  # id -> (letter, answer) of each draw
    agreement: Counter[bool] = Counter()
    with ExitStack() as stack:
        out = stack.enter_context(whole_file(per_item)) if per_item else None
        for item in items:
            outcome = answers.grade(rule, item.text, item.gold, item.truncated)
            outcomes[outcome] += 1
            if item.is_draw:
                draws.setdefault(item.id, []).append((outcome.letter, answers.extract(rule, item.text)))
            if item.label is not None:
                agreement[(outcome is Outcome.CORRECT) == item.label] += 1
            if out:
                row = {"id": item.id, "outcome": outcome.value, "answer": answers.extract(rule, item.text)}
                out.write(json.dumps(row) + "\n")
        if not outcomes:
            raise ValueError("no rows to grade: expected one JSON object a line with id, gold and text")
    score = Score.binomial(outcomes[Outcome.CORRECT], outcomes.total())
    no_answer = outcomes[Outcome.NO_ANSWER] + outcomes[Outcome.TRUNCATED]
    summary: dict[str, Any] = {"n": score.n, "correct": outcomes[Outcome.CORRECT], "no_answer": no_answer}
    summary |= {"accuracy": score.value, "se": score.se} | _voted(draws, total=outcomes.total())
    return summary | ({"agree": agreement[True], "disagree": agreement[False]} if agreement else {})


def _voted(draws: Mapping[str, Sequence[tuple[str, str | None]]], *, total: int) -> dict[str, float]:
    """Scores of the draws, as a record has them; none where rows are no draws or problems differ in their number."""
    sizes = {len(drawn) for drawn in draws.values()}
    if len(sizes) != 1 or sizes == {1} or sum(map(len, draws.values())) != total:
        return {}
    tallies = {}
    for name, drawn in draws.items():
        letters = "".join(letter for letter, _ in drawn)
        tallies[name] = Tally.of(letters, rivals(letters, [answer for _, answer in drawn]))
    return {name: score.value for name, score in pool_scores(tallies).items()}


def disagreement_matrix(items: Iterator[Item]) -> dict[str, Any]:
    """For each pair of rules, on how many items one finds a correct answer and the other does not.

    Raises ValueError when there are no items.
    """
    correct: Counter[str] = Counter()
    differ: Counter[tuple[str, str]] = Counter()
    n = 0
    for item in items:
        n += 1
        held = {r: answers.grade(r, item.text, item.gold, item.truncated) is Outcome.CORRECT for r in answers.RULES}
        correct.update(rule for rule, is_correct in held.items() if is_correct)
        differ.update((a, b) for a, b in itertools.product(held, held) if held[a] != held[b])
    if not n:
        raise ValueError("no rows to grade: expected one JSON object a line with id, gold and text")
    matrix = {a: {b: differ[a, b] for b in answers.RULES} for a in answers.RULES}
    return {"n": n, "correct": {rule: correct[rule] for rule in answers.RULES}, "disagree": matrix}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, print the result; 2 with a message on bad input."""
    parser = argparse.ArgumentParser(prog="python -m rft.grade", description="Grade stored solutions.")
    parser.add_argument("source", help='JSON-lines file of {"id", "gold", "text"}, "-" for standard input')
    parser.add_argument("--rule", default="gsm8k", help=f"one of {', '.join(answers.RULES)} (default: gsm8k)")
    parser.add_argument("--per-item", type=Path, metavar="OUT", help="write the outcome of every row")
    parser.add_argument(
        "--matrix", action="store_true", help="disagreements between all rules; takes a study folder too"
    )
    options = parser.parse_args(arguments)
    try:
        items = read_items(options.source)
        result = (
            disagreement_matrix(items)
            if options.matrix
            else grade_items(items, rule=options.rule, per_item=options.per_item)
        )
    except (ValueError, OSError) as error:
        print(f"rft.grade: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
