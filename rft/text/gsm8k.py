"""Problems from files of questions and worked solutions: in GSM8K's own form, or in another by a small adapter.

    problems = read_problems(folder / "train.jsonl")                 # GSM8K: {"question", "answer"}
    problems = read_problems("mine.jsonl", adapter="triple")         # {"question", "solution", "gold"}

A row of each form (unless an adapter is named, the first row decides which it is), and what becomes of it; gold answers
stay as they are written:

    >>> gsm8k_row({"question": "Half of 48?", "answer": "48/2 = <<48/2=24>>24\\n#### 24"})
    ('Half of 48?', '48/2 = <<48/2=24>>24\\n#### 24', ' 24')
    >>> triple_row({"question": "Half of 48?", "solution": "48/2 = 24", "gold": "24"})
    ('Half of 48?', '48/2 = 24\\n#### 24', '24')
    >>> svamp_row({"Body": "8 cows.", "Question": "How many legs?", "Equation": "( 8.0 * 4.0 )", "Answer": 32.0})
    ('8 cows. How many legs?', '8*4=<<8*4=32>>32\\n#### 32', '32')
    >>> question_id("Half  of 48?") == question_id("half of 48?")    # a problem's id is a digest of its question
    True

An adapter of your own is a function from a row to (question, solution, gold); pass it as `adapter`.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rft.records import Outcome, Problem
from rft.text.answers import extract, gold_fault, grade
from rft.text.numbers import canonical_number
from rft.text.overlap import normalise
from rft.text.rowmap import ANSWER_LINE, RowMap
from rft.text.rows import EXPECTED, BadGold, Row, gold_field, text_field
from rft.text.tables import placed_rows

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
    """{"question", "answer"}: the gold answer follows the last `####` of the answer. A "gold" beside it must be the same."""
    question, answer = text_field(row, "question"), text_field(row, "answer")
    gold = answer.rpartition("####")[2] if "####" in answer else ""
    stated = row.get("gold")
    if stated is not None and canonical_number(gold_field(row, "gold")) != canonical_number(gold):
        raise BadGold(f"has the gold answer {stated!r}, but its answer ends in {gold.strip()[:40]!r}")
    return question, answer, gold


def triple_row(row: Row) -> tuple[str, str, str]:
    """{"question", "solution", "gold"}: the line `#### gold` is appended to solutions without such a line."""
    question, solution, gold = text_field(row, "question"), text_field(row, "solution"), gold_field(row, "gold")
    return question, solution if ANSWER_LINE.search(solution) else f"{solution}\n#### {gold}", gold


def svamp_row(row: Row) -> tuple[str, str, str]:
    """SVAMP: {"Body", "Question", "Equation", "Answer"}; the solution is its one equation, annotated as in GSM8K."""
    body, asked = text_field(row, "Body").strip(), text_field(row, "Question").strip()
    gold = canonical_number(text_field(row, "Answer")) or ""
    inner = re.sub(r"(?<=\d)\.0\b", "", text_field(row, "Equation")).replace(" ", "")
    if inner.startswith("(") and inner.endswith(")") and inner.count("(") == 1:
        inner = inner[1:-1]
    question = f"{body}{'' if body.endswith(('.', '?', '!', ',')) else '.'} {asked}"
    return question, f"{inner}=<<{inner}={gold}>>{gold}\n#### {gold}", gold


FURTHER, ALL = "further_solution", "all"

ADAPTERS: dict[str, Adapter] = {"gsm8k": gsm8k_row, "triple": triple_row, "svamp": svamp_row}
TEXT_ADAPTERS = {  # the same forms where gold answers need be no numbers
    "gsm8k": RowMap(question="question", solution="answer").parts,
    "triple": RowMap(question="question", solution="solution", gold="gold").parts,
}


def normalised_question(question: str) -> str:
    """The question without case and with single spaces: equal questions are one problem."""
    return " ".join(question.casefold().split())


def question_id(question: str) -> str:
    """Stable id of a question, e.g. 'g-1f3c0a9be2d4': 12 hex digits of the blake2b of its normalised text."""
    normal = normalised_question(question).encode("utf-8", "surrogatepass")
    return "g-" + hashlib.blake2b(normal, digest_size=6).hexdigest()


@dataclass(frozen=True)
class Reading:
    """Problems of a file, and how many rows were left out for which reason."""

    problems: list[Problem]
    dropped: dict[str, int]  # 'bad_gold', 'duplicate', 'further_solution'; reasons without rows are left out
    asked: list[str] = field(default_factory=list, compare=False)  # questions of all usable rows, repeated ones too


@dataclass(frozen=True)
class ReadAs:
    """How a study reads the rows of a data file, and what becomes of those that it cannot use."""

    limit: int | None = None  # rows; None: all
    rule: str | None = None  # grading rule that must find each row's own solution correct
    on_bad_gold: str = "error"  # error | drop (rft.config.OnFault)
    on_duplicate: str = "error"
    solutions: str | None = None  # first | all: of several to one question; None: a question occurs once
    row_map: RowMap | None = None  # None: one of the forms in ADAPTERS, by the first row
    numbers: bool = True  # gold answers must be numbers


def read_problems(
    path: Path | str, *, adapter: str | Adapter | None = None, limit: int | None = None, rule: str | None = None
) -> list[Problem]:
    """All problems of a JSON-lines file (gzipped when it ends in .gz), or of its first `limit` rows.

    Raises ValueError, naming file and line, when the file is missing, empty or not JSON, or when a row lacks a field,
    repeats a question, has no parsable gold answer or (with a grading `rule`) a solution that the rule does not find correct;
    also for an unknown adapter.
    """
    return problems_of(placed_rows(path), name=str(path), adapter=adapter, limit=limit, rule=rule).problems


def problems_of(
    rows: Iterable[tuple[str, Row]],
    *,
    name: str,
    adapter: str | Adapter | None = None,
    limit: int | None = None,
    rule: str | None = None,
    drop_bad_gold: bool = False,
    drop_duplicates: bool = False,
    solutions: str | None = None,
    numbers: bool = True,
) -> Reading:
    """All problems of rows with their places; `name` stands for their source in errors. Raises as `read_problems` does.

    `solutions`: where rows give a question another solution with the same answer, the `first` is kept and the others are
    counted, or `all` are; with None such rows are duplicates too.

    With `rule` every solution is graded as a model's would be: one that the rule cannot read, or finds wrong, would train a
    model to score nothing. Such rows and repeated questions are refused together, or left out and counted.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"{name}: the limit of rows is {limit}, it must be at least 1 (or none)")
    problems: list[Problem] = []
    seen: dict[str, tuple[str, int]] = {}  # question, as the check for leaked questions compares it -> place, index
    asked: list[str] = []
    told: dict[str, set[str]] = {}  # question, so -> its solutions, kept or not, but for spaces
    faults: dict[str, list[str]] = {"bad_gold": [], "duplicate": [], FURTHER: []}
    convert: Adapter | None = None
    for place, row in itertools.islice(rows, limit):
        convert = convert or adapter_of(adapter, row, numbers=numbers)
        try:
            problem = problem_of(convert(row), numbers=numbers)
            fault = "" if rule is None else own_fault(problem, rule)
        except BadGold as error:
            if rule is None and not drop_bad_gold:
                raise ValueError(f"{name}: {place} {error}") from None
            problem, fault = None, str(error)
        except ValueError as error:
            raise ValueError(f"{name}: {place} {error}") from None
        words = "" if problem is None else " ".join(problem.solution.split())
        if problem is None or fault:
            faults["bad_gold"].append(f"{place} {fault}")
            continue
        asked.append(problem.question)
        if (form := normalise(problem.question)) not in seen:
            seen[form], told[form] = (place, len(problems)), {words}
            problems.append(problem)
        elif fault := _repeat(problems[seen[form][1]], problem, known=solutions is None or words in told[form]):
            faults["duplicate"].append(f"{place} {fault} of {seen[form][0]}")
        else:
            told[form].add(words)
            first = problems[seen[form][1]]
            if solutions == ALL:
                problems[seen[form][1]] = replace(first, more=(*first.more, problem.solution))
            else:
                faults[FURTHER].append("")
    _refuse(name, "bad_gold", [] if drop_bad_gold else faults["bad_gold"])
    _refuse(name, "duplicate", [] if drop_duplicates else faults["duplicate"])
    if not problems:
        why = next((found[0] for found in faults.values() if found), "expected rows with question and answer")
        raise ValueError(f"{name} holds no problem: {why}")
    return Reading(problems, {reason: len(found) for reason, found in faults.items() if found}, asked)


def _repeat(first: Problem, other: Problem, *, known: bool) -> str:
    """What is wrong with a further row of a question; '' where it is another solution, which the file may have."""
    if known:
        return "repeats the problem"
    golds = {canonical_number(one.gold) or one.gold for one in (first, other)}
    return "" if len(golds) == 1 else "gives another answer to the problem"


def read_file(path: Path | str, how: ReadAs) -> Reading:
    """The problems of a data file as a study uses them. Planning and the stage both read through here, so that they agree."""
    return checked_problems(placed_rows(path), how, name=str(path))


def checked_problems(rows: Iterable[tuple[str, Row]], how: ReadAs, *, name: str) -> Reading:
    """The same for rows read elsewhere, such as those of a hub. Raises as `read_problems` does."""
    return problems_of(
        rows,
        name=name,
        adapter=None if how.row_map is None else how.row_map.parts,
        limit=how.limit,
        rule=how.rule,
        drop_bad_gold=how.on_bad_gold == "drop",
        drop_duplicates=how.on_duplicate == "drop",
        solutions=how.solutions,
        numbers=how.numbers,
    )


WAYS_OUT = {
    "bad_gold": "mend the rows, choose another data.rule, or leave them out with data.on_bad_gold=drop",
    "duplicate": "remove the rows, or leave them out with data.on_duplicate=drop",
}
MOST_NAMED = 10


def refuse_bad_golds(problems: Iterable[Problem], *, rule: str, name: str) -> None:
    """Raise ValueError for problems whose own solution a rule does not find correct, or whose gold answer it misreads."""
    each = (replace(problem, solution=text, more=()) for problem in problems for text in problem.solutions)
    faults = ((problem.id, own_fault(problem, rule)) for problem in each)
    _refuse(name, "bad_gold", [f"problem {name} {fault}" for name, fault in faults if fault])


def _refuse(name: str, reason: str, faults: Sequence[str]) -> None:
    if faults:
        more = f"; and {len(faults) - MOST_NAMED} more" if len(faults) > MOST_NAMED else ""
        raise ValueError(f"{name}: {'; '.join(faults[:MOST_NAMED])}{more}. {WAYS_OUT[reason].capitalize()}")


def own_fault(problem: Problem, rule: str) -> str:
    """Why a problem's own solution is not correct under a rule, or how the rule misreads its gold answer; '' when neither."""
    if fault := gold_fault(rule, problem.gold):
        return f"cannot be graded: {fault}"
    outcome = grade(rule, problem.solution, problem.gold, False)
    if outcome is Outcome.CORRECT:
        return ""
    found = extract(rule, problem.solution)
    read = "finds no answer in its own solution" if found is None else f"reads {found[:40]!r} from its own solution"
    return f"has the gold answer {problem.gold[:40]!r}, but rule {rule} {read}"


def problem_of(fields: tuple[str, str, str], *, numbers: bool) -> Problem:
    """Of a row's question, solution and gold answer. Raises BadGold, or ValueError for texts that are none."""
    question, solution, gold = fields
    if not question.strip():
        raise ValueError("has an empty question")
    for text in (question, solution):
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError("holds half of a surrogate pair, which is no text: mend the file's encoding")
    if not numbers and not gold.strip():
        raise BadGold("has no gold answer: name its field, or end the solution in a line '#### answer'")
    if numbers and canonical_number(gold) is None:
        raise BadGold(f"has no parsable gold answer: got {gold.strip()[:40]!r}, {EXPECTED}")
    return Problem(question_id(question), question, solution, gold.strip())


def adapter_of(adapter: str | Adapter | None, first: Row, *, numbers: bool) -> Adapter:
    """What reads rows: the adapter itself, the one of a name, or the one of the form that the first row has."""
    if callable(adapter):
        return adapter
    if adapter is None and not numbers:
        return TEXT_ADAPTERS["triple" if "gold" in first else "gsm8k"]
    adapter = adapter or ("svamp" if "Body" in first else "triple" if "gold" in first else "gsm8k")
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
