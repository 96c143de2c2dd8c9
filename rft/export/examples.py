"""The training set of a finished cell as JSON lines: rows with their origin, and three forms that trainers read.

    rows = training_rows(cell)
    rows[0].to_json()    # {"id": "w-0f3a", "question": ..., "solution": ..., "answer": "51", "source": "kept",
                         #  "donor": "nano-s", "draw": 2, "equations": ["3*17=51"], "score": null}

`messages`, `alpaca` and `prompt_completion` hold the same rows in the same order. What stands in `prompt` is the prompt of
training, to the letter; a trainer must add the end-of-sequence token, as most do. Of a chat it and `messages` are the turns
of training, which the tokenizer frames; the response begins with the template's prefix, which training gave unlearnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.export.cell import FinishedCell
from rft.records import write_jsonl
from rft.stages.trainset import HUMAN, Example
from rft.text.answers import extract
from rft.text.path_keys import path_equations
from rft.text.selection import KeptPath
from rft.text.templates import Message, Template

DEFAULT = "train"  # the form with all that is known of a row
MESSAGES, ALPACA, PAIRS = "messages", "alpaca", "prompt_completion"


@dataclass(frozen=True)
class TrainingRow:
    """One training example with its origin."""

    id: str  # of its problem
    question: str
    solution: str
    answer: str | None  # read from the solution under the cell's grading rule
    source: str  # human, kept, or another word of the method's
    donor: str | None  # of a kept path: the model that drew it
    draw: int | None  # and which of its draws it is, from 0
    equations: list[str]
    score: float | None  # mean log-probability under the donor, nats a token, where the cell ranked its paths

    def to_json(self) -> dict[str, Any]:
        """The row of the file."""
        return dict(vars(self))


def training_rows(cell: FinishedCell) -> list[TrainingRow]:
    """All examples in the order of the training set."""
    kept: dict[tuple[str, str], list[KeptPath]] = {}
    for path in cell.kept():
        kept.setdefault((path.id, path.text), []).append(path)
    scores = cell.scores()
    rule, equations = cell.greedy.identity["rule"], cell.record.setting.get("select.equations", "annotated")
    rows = []
    for example in cell.examples():
        found = kept.get((example.id, example.solution), []) if example.source != HUMAN else []
        origin = found.pop(0) if found else None  # of equal texts each draw is a row of its own
        rows.append(_row(example, origin, scores=scores, rule=rule, equations=equations))
    return rows


def _row(
    example: Example, path: KeptPath | None, *, scores: dict[tuple[str, str, int], float], rule: str, equations: str
) -> TrainingRow:
    return TrainingRow(
        id=example.id,
        question=example.question,
        solution=example.solution,
        answer=extract(rule, example.solution),
        source=example.source,
        donor=path.model if path else None,
        draw=path.draw if path else None,
        equations=path_equations(example.solution, kind=equations),
        score=scores.get((path.id, path.model, path.draw)) if path else None,
    )


def in_form(row: TrainingRow, form: str, *, template: Template) -> dict[str, Any]:
    """A row in one form, asked as in training."""
    if form == MESSAGES:
        asked, answered = turns(row, template)
        return {"messages": [*asked, answered]}
    if form == ALPACA:
        return {"instruction": row.question, "input": "", "output": row.solution}
    if form == PAIRS and template.chat:  # the frame is the tokenizer's own
        asked, answered = turns(row, template)
        return {"prompt": asked, "completion": [answered]}
    if form == PAIRS:
        return {"prompt": template.ask(row.question), "completion": template.response(row.solution)}
    assert form == DEFAULT, form
    return row.to_json()


def turns(row: TrainingRow, template: Template) -> tuple[list[Message], Message]:
    """(what is asked, what is answered): of a chat as in training, else the bare question and solution."""
    if not template.chat:
        return [_turn("user", row.question)], _turn("assistant", row.solution)
    return template.messages(row.question), _turn("assistant", template.prefix + template.response(row.solution))


def write_forms(rows: Sequence[TrainingRow], folder: Path, *, forms: Sequence[str], template: Template) -> None:
    """A file a form."""
    for form in forms:
        write_jsonl(folder / f"{form}.jsonl", (in_form(row, form, template=template) for row in rows))


def write_pools(cell: FinishedCell, folder: Path) -> dict[str, int]:
    """A file a donor: its draws with their questions, in a form that `pools.NAME.path` reads; returns rows by file."""
    questions = {name: problem.question for name, problem in cell.problems().items()}
    written = {}
    for pool in cell.pools():
        name = f"pool-{pool.donor}.jsonl"
        rows = ({"question": questions[sample.id], **sample.to_json()} for sample in pool.samples)
        written[name] = write_jsonl(folder / name, rows)
    return written


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}
