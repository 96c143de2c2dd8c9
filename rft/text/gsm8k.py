"""Problems from files of questions and worked solutions: GSM8K's own form, or another by a small adapter.

    problems = read_problems(folder / "train.jsonl")                 # GSM8K: {"question", "answer"}
    problems = read_problems("mine.jsonl", adapter="triple")         # {"question", "solution", "gold"}
    release_status(problems, split="train")                          -> Release("exact", ...)

A row of each form (the adapter is recognised from the first row unless named):
    gsm8k   {"question": "Natalia sold clips to 48 ...", "answer": "48/2 = <<48/2=24>>24 ...\\n#### 72"}
    triple  {"question": "...", "solution": "48/2 = 24 ...", "gold": "72"}
    svamp   {"Body": "There are 8 cows.", "Question": "How many legs?", "Equation": "( 8.0 * 4.0 )", "Answer": 32.0}

An adapter of your own is a function from a row to (question, solution, gold); pass it as `adapter`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.records import Problem
from rft.text.answers import canonical_number
from rft.text.rows import Row, numbered_rows, text_field

Adapter = Callable[[Row], tuple[str, str, str]]  # row -> question, solution (last line '#### gold'), gold as written

# sha256 over `question NUL answer LF` of all rows in order, of openai/grade-school-math at commit 3101c7d
RELEASES = {
    "train": (7473, "17791e939e35e50749e1b669b7a932de00a780e3415be4c36a7a38e00515d8e0"),
    "test": (1319, "288f91040ca635f5233fe60c9789c0392ef354580f2a11ce0024d8efbc632c50"),
}


@dataclass(frozen=True)
class Release:
    """How a file compares with the published GSM8K split."""

    status: str  # exact | other_rows (another number of rows) | other_content (same number, other text or order)
    digest: str
    message: str  # for the log; names what was expected


def gsm8k_row(row: Row) -> tuple[str, str, str]:
    """{"question", "answer"}: the gold answer follows the last `####` of the answer."""
    question, answer = text_field(row, "question"), text_field(row, "answer")
    return question, answer, answer.rpartition("####")[2] if "####" in answer else ""


def triple_row(row: Row) -> tuple[str, str, str]:
    """{"question", "solution", "gold"}: the line `#### gold` is appended to solutions without one."""
    question, solution, gold = text_field(row, "question"), text_field(row, "solution"), text_field(row, "gold")
    return question, solution if "####" in solution else f"{solution}\n#### {canonical_number(gold)}", gold


def svamp_row(row: Row) -> tuple[str, str, str]:
    """SVAMP: {"Body", "Question", "Equation", "Answer"}; the solution is its one equation, annotated as in GSM8K."""
    body, asked = text_field(row, "Body").strip(), text_field(row, "Question").strip()
    gold = canonical_number(text_field(row, "Answer")) or ""
    inner = re.sub(r"(\d+)\.0\b", r"\1", text_field(row, "Equation")).replace(" ", "")
    if inner.startswith("(") and inner.endswith(")") and inner.count("(") == 1:
        inner = inner[1:-1]
    question = f"{body}{'' if body.endswith(('.', '?', '!', ',')) else '.'} {asked}"
    return question, f"{inner}=<<{inner}={gold}>>{gold}\n#### {gold}", gold


ADAPTERS: dict[str, Adapter] = {"gsm8k": gsm8k_row, "triple": triple_row, "svamp": svamp_row}


def normalised_question(question: str) -> str:
    """The question without case and with single spaces: equal questions are one problem."""
    return " ".join(question.casefold().split())


def question_id(question: str) -> str:
    """Stable id of a question, e.g. 'g-1f3c0a9be2d4': 12 hex digits of the blake2b of its normalised text."""
    normal = normalised_question(question).encode("utf-8", "surrogatepass")
    return "g-" + hashlib.blake2b(normal, digest_size=6).hexdigest()


def read_problems(path: Path | str, *, adapter: str | Adapter | None = None, limit: int | None = None) -> list[Problem]:
    """All problems of a JSON-lines file (gzipped when it ends in .gz), or the first `limit` of them.

    Raises ValueError, naming file and line, when the file is missing, empty or not JSON, or when a row lacks a field,
    repeats a question or has no parsable gold answer; also for an unknown adapter.
    """
    return problems_of(numbered_rows(Path(path)), name=str(path), adapter=adapter, limit=limit)


def problems_of(
    rows: Iterable[tuple[int, Row]], *, name: str, adapter: str | Adapter | None = None, limit: int | None = None
) -> list[Problem]:
    """All problems of numbered rows, wherever they come from; `name` says so in errors. Raises as `read_problems` does."""
    problems: list[Problem] = []
    seen: dict[str, int] = {}  # id -> line
    convert: Adapter | None = None
    for number, row in rows:
        convert = convert or _adapter(adapter, row)
        try:
            problem = _problem(convert(row))
        except ValueError as error:
            raise ValueError(f"{name}: line {number} {error}") from None
        if problem.id in seen:
            raise ValueError(
                f"{name}: line {number} repeats the problem of line {seen[problem.id]}: remove one of them"
            )
        seen[problem.id] = number
        problems.append(problem)
        if limit is not None and len(problems) >= limit:
            break
    if not problems:
        raise ValueError(f"{name} holds no problem: expected one JSON object a line, with question and answer")
    return problems


def _problem(fields: tuple[str, str, str]) -> Problem:
    question, solution, gold = fields
    if not question.strip():
        raise ValueError("has an empty question")
    number = canonical_number(gold)
    if number is None:
        raise ValueError(f"has no parsable gold answer: got {gold.strip()[:40]!r}, expected a number, as in '#### 72'")
    return Problem(question_id(question), question, solution, number)


def _adapter(adapter: str | Adapter | None, first: Row) -> Adapter:
    if callable(adapter):
        return adapter
    if adapter is None:
        adapter = "svamp" if "Body" in first else "triple" if "gold" in first else "gsm8k"
    if adapter not in ADAPTERS:
        raise ValueError(f"unknown data adapter {adapter!r}; allowed are {', '.join(ADAPTERS)}")
    return ADAPTERS[adapter]


def content_digest(problems: Sequence[Problem]) -> str:
    """sha256 over question and solution of all problems in order: the same for a local file and a copy from a hub."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(f"{problem.question}\0{problem.solution}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def release_status(problems: Sequence[Problem], *, split: str) -> Release:
    """Compare problems with the published split ('train' or 'test'): a status to record, never a failure."""
    num_rows, expected = RELEASES[split]
    digest = content_digest(problems)
    if digest == expected:
        return Release("exact", digest, f"these are the {num_rows} published rows of the GSM8K {split} split")
    if len(problems) != num_rows:
        return Release("other_rows", digest, f"{len(problems)} rows; the GSM8K {split} split has {num_rows}")
    return Release("other_content", digest, f"{num_rows} rows, but text or order differ from the GSM8K {split} split")
