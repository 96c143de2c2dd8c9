"""Grade stored solutions under a named rule, without sampling anything again.

    python -m rft.grade --rule gsm8k FILE.jsonl                      # "-" is standard input
    python -m rft.grade --rule answer_line FILE.jsonl --per-item OUT.jsonl
    python -m rft.grade --matrix FILE.jsonl                          # or a study folder: all its samples.jsonl

A row is {"id": "g-1f3c", "gold": "72", "text": "48/2=24 ...\\n#### 72"}, optionally with "label" (true when a person or
another grader found it correct), "truncated", "model", and "draw" (0, 1, ...; -1 is the greedy answer). Printed is one JSON
object:
    {"n": 5276, "correct": 2001, "no_answer": 11, "accuracy": 0.379, "se": 0.0067, "agree": 5276, "disagree": 0}
"se" is the binomial standard error over the n problems. Where a problem has several draws, "problems" is their number,
"accuracy" the mean over problems of the share of right draws, and "se" the standard error of that mean, over problems: the
draws of one problem are not independent trials (null for one problem). Where every problem has K draws, K > 1, "pass@1",
"maj1@K" and "pass@K" stand beside. Greedy answers are not draws: where a file holds both, they are counted separately, under
"greedy".
A file holds the answers of one model, each once. `--per-item` writes {"id", "outcome", "answer"} per row in input order.
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

from rft.records import SHOWN_FILE, Outcome, Score
from rft.text import answers
from rft.text.rows import GREEDY, Row, draw_field, flag_field, model_field, numbered_rows, text_field
from rft.text.scoring import rivals
from rft.votes import Tally, pool_scores
from rft.whole import whole_file


@dataclass(frozen=True)
class Item:
    """One row to grade."""

    id: str
    gold: str
    text: str
    label: bool | None
    truncated: bool
    draw: int | None  # which draw of its problem; GREEDY; None: the row does not say
    model: str
    where: str  # file and line, for messages


def read_items(source: str, *, rule: str = "gsm8k") -> Iterator[Item]:
    """Items of a file, of standard input ("-"), or of every sample file in a study folder.

    Raises ValueError, with file and line, for rows without id, gold or text and for a label that is not true or false.
    """
    paths: list[str | Path] = sorted(Path(source).rglob(SHOWN_FILE)) if Path(source).is_dir() else [source]
    if not paths:
        raise ValueError(f"the folder {source} holds no {SHOWN_FILE}: give a study folder or a JSON-lines file")
    for path in paths:
        for line, row in numbered_rows(path):
            yield _item(row, f"{path}: line {line}", rule=rule)


def _item(row: Row, where: str, *, rule: str) -> Item:
    label = row.get("label")
    if label not in (None, True, False):
        raise ValueError(f"{where} has the label {label!r}, expected true or false")
    return Item(
        text_field(row, "id", where=where),
        answers.gold_of(rule, row, where=where),
        text_field(row, "text", where=where),
        None if label is None else bool(label),
        flag_field(row, "truncated", where=where),
        None if row.get("draw") is None else draw_field(row, where=where),
        model_field(row, where=where),
        where,
    )


@dataclass(frozen=True)
class Graded:
    """What became of an item."""

    id: str
    draw: int | None
    outcome: Outcome
    answer: str | None
    label: bool | None


def grade_items(items: Iterator[Item], *, rule: str, per_item: Path | None = None) -> dict[str, Any]:
    """The summary over all items, as the module says. Raises ValueError when there are none, for an unknown rule, for rows
    of several models, a draw that occurs twice, and golds that the rule misreads or that are not one for one problem.

    `per_item` is written beside its place and moved there at the end: bad input leaves what was there before.
    """
    answers.rule_named(rule)
    rows: list[Graded] = []
    with ExitStack() as stack:
        out = stack.enter_context(whole_file(per_item)) if per_item else None
        for item in _of_one_model(items, rule=rule):
            outcome = answers.grade(rule, item.text, item.gold, item.truncated)
            rows.append(Graded(item.id, item.draw, outcome, answers.extract(rule, item.text), item.label))
            if out:
                row = {"id": item.id, "outcome": outcome.value, "answer": rows[-1].answer}
                out.write(json.dumps(row) + "\n")
        if not rows:
            raise ValueError("no rows to grade: expected one JSON object a line with id, gold and text")
    greedy = [row for row in rows if row.draw == GREEDY]
    others = [row for row in rows if row.draw != GREEDY]
    if greedy and others:
        return _summary(others, rule=rule) | {"greedy": _summary(greedy, rule=rule)}
    return _summary(rows, rule=rule)


def _of_one_model(items: Iterator[Item], *, rule: str) -> Iterator[Item]:
    """The items. Raises ValueError, naming both rows, where they are not the answers of one model to problems of one gold."""
    first: tuple[str, str] | None = None  # model, row
    golds: dict[str, tuple[str, str]] = {}  # id -> gold, row
    origins: dict[tuple[str, int | None], str] = {}  # id, draw -> row
    for item in items:
        _check_gold(item, rule=rule)
        model, where = first = first or (item.model, item.where)
        if item.model != model:
            both = f"{item.where} is of model {item.model!r}, {where} of {model!r}"
            raise ValueError(f"{both}: scores are of one model, give each a file of its own")
        gold, where = golds.setdefault(item.id, (item.gold, item.where))
        if not answers.same_gold(rule, gold, item.gold):
            both = f"{item.where} has the gold answer {item.gold!r} and {where} has {gold!r}"
            raise ValueError(f"{both}: both are of problem {item.id!r}, and they are not the same to rule {rule}")
        where = origins.setdefault((item.id, item.draw), item.where)
        if where != item.where:
            what = "an answer" if item.draw is None else f"draw {item.draw}"
            both = f"{item.where} is {what} of problem {item.id!r}, as {where} is"
            raise ValueError(f"{both}: number several answers to one problem with 'draw'")
        yield item


def _check_gold(item: Item, *, rule: str) -> None:
    if fault := answers.gold_fault(rule, item.gold):
        raise ValueError(f"{item.where} cannot be graded: {fault}")


def _summary(rows: Sequence[Graded], *, rule: str) -> dict[str, Any]:
    by_id: dict[str, list[Graded]] = {}
    for row in rows:
        by_id.setdefault(row.id, []).append(row)
    outcomes = Counter(row.outcome for row in rows)
    counts: dict[str, Any] = {"n": len(rows)}
    if len(by_id) == len(rows):
        score = Score.binomial(outcomes[Outcome.CORRECT], len(rows))
    else:
        counts["problems"] = len(by_id)
        score = Score.mean([_share(own) for own in by_id.values()])
    counts |= {
        "correct": outcomes[Outcome.CORRECT],
        "no_answer": outcomes[Outcome.NO_ANSWER] + outcomes[Outcome.TRUNCATED],
    }
    counts |= {"accuracy": score.value, "se": score.se if len(by_id) > 1 or len(rows) == 1 else None}
    agreement = Counter((row.outcome is Outcome.CORRECT) == row.label for row in rows if row.label is not None)
    return (
        counts
        | _voted(by_id, rule=rule)
        | ({"agree": agreement[True], "disagree": agreement[False]} if agreement else {})
    )


def _share(rows: Sequence[Graded]) -> float:
    return sum(row.outcome is Outcome.CORRECT for row in rows) / len(rows)


def _voted(by_id: Mapping[str, Sequence[Graded]], *, rule: str) -> dict[str, float]:
    """Scores of the draws, as a record has them; none where rows are no draws or problems differ in their number."""
    if len({len(own) for own in by_id.values()}) != 1 or any(row.draw is None for own in by_id.values() for row in own):
        return {}
    tallies = {}
    for name, own in by_id.items():
        letters = "".join(row.outcome.letter for row in own)
        tallies[name] = Tally.of(letters, rivals(letters, [row.answer for row in own], rule=rule))
    scores = pool_scores(tallies)
    return {name: score.value for name, score in scores.items()} if len(scores) > 1 else {}


def disagreement_matrix(items: Iterator[Item]) -> dict[str, Any]:
    """For each pair of rules on numbers, on how many items one finds a correct answer and the other does not.

    Raises ValueError when there are no items, or for a gold answer that a rule misreads.
    """
    rules = [name for name, rule in answers.RULES.items() if rule.numbers]
    correct: Counter[str] = Counter()
    differ: Counter[tuple[str, str]] = Counter()
    n = 0
    for item in items:
        for rule in rules:
            _check_gold(item, rule=rule)
        n += 1
        held = {r: answers.grade(r, item.text, item.gold, item.truncated) is Outcome.CORRECT for r in rules}
        correct.update(rule for rule, is_correct in held.items() if is_correct)
        differ.update((a, b) for a, b in itertools.product(held, held) if held[a] != held[b])
    if not n:
        raise ValueError("no rows to grade: expected one JSON object a line with id, gold and text")
    matrix = {a: {b: differ[a, b] for b in rules} for a in rules}
    return {"n": n, "correct": {rule: correct[rule] for rule in rules}, "disagree": matrix}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, print the result; 2 with a message on bad input."""
    parser = argparse.ArgumentParser(prog="python -m rft.grade", description="Grade stored solutions.")
    parser.add_argument("source", help='JSON-lines file of {"id", "gold", "text"}, "-" for standard input')
    parser.add_argument("--rule", default="gsm8k", help=f"one of {', '.join(answers.RULES)} (default: gsm8k)")
    parser.add_argument("--per-item", type=Path, metavar="OUT", help="write the outcome of every row")
    parser.add_argument(
        "--matrix", action="store_true", help="count disagreements between all rules; takes a study folder too"
    )
    options = parser.parse_args(arguments)
    try:
        if Path(options.source).is_dir() and not options.matrix:
            raise ValueError(f"{options.source} is a folder of many models' answers: give one file, or --matrix")
        items = read_items(options.source, rule="gsm8k" if options.matrix else options.rule)
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
