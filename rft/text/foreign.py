"""Solutions that somebody else drew, in the forms in which they are kept, joined to problems by id or by exact question.

An id is this project's (`g-1f3c0a9be2d4`, as exports have it), or one that the data files have of their own (`own`).

    found = join_draws(numbered_rows(path), problems, name="pool.jsonl", seed=0)
    found.samples[0], found.facts.unmatched_rows

    >>> two = [Problem("g-1", "2 and 2?", "", "4"), Problem("g-2", "3 and 3?", "", "6")]
    >>> rows = [(1, {"id": "g-1", "text": "it is 4"}), (2, {"question": "5 and 5?", "text": "10"})]
    >>> found = join_draws(rows, two, name="pool.jsonl", seed=0)
    >>> [sample.text for sample in found.samples], found.facts.unmatched_rows
    (['it is 4'], 1)

Draws are in the order of their numbers, where the file has some. Places in a list or file say nothing: some sort by score,
and files are sorted by who knows what. Such draws get a random order that follows from seed, question and text alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rft.records import Problem, Sample
from rft.text.foreign_rows import ForeignDraw, Parsed, parsed
from rft.text.gsm8k import normalised_question
from rft.text.overlap import normalise
from rft.text.rows import Row
from rft.text.subsets import rank

MOST_NAMED = 5  # of unmatched rows, and of models


@dataclass(frozen=True)
class JoinFacts:
    """What became of the rows."""

    num_rows: int
    num_draws: int  # joined to a problem
    num_questions: int  # problems with a draw
    max_draws: int  # of a question
    order: str  # 'draw numbers' or 'shuffled by seed 0'
    forms: dict[str, int]  # rows by form
    models: list[str]  # who wrote them, as far as rows say
    unmatched_rows: int  # rows of no problem
    unmatched: list[str]  # the first of them, by line and question
    failed_requests: int
    repeated_rows: int  # of further filters of lm_eval
    by_own_id: int | None = (
        None  # rows joined by an id of the data files' own and no question; None: those were not read
    )

    def to_json(self) -> dict[str, Any]:
        """By name; what was not looked at is left out."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Joined:
    """The draws of all problems, in their order, then by draw, numbered from 0 without a gap."""

    samples: list[Sample]
    facts: JoinFacts


@dataclass
class _Found:
    """What has been read so far."""

    numbered: dict[str, dict[int, ForeignDraw]] = field(default_factory=dict)  # by problem and draw
    loose: dict[str, list[ForeignDraw]] = field(default_factory=dict)
    forms: Counter[str] = field(default_factory=Counter)
    models: set[str] = field(default_factory=set)
    unmatched: list[str] = field(default_factory=list)
    failed: int = 0
    repeated: int = 0
    by_own_id: int = 0
    filter: str | None = None


@dataclass(frozen=True)
class OwnNames:
    """Ids that the data files have of their own."""

    columns: tuple[str, ...]  # where
    questions: Mapping[str, str]  # own id -> question, as rft.text.overlap normalises it


def join_draws(
    rows: Iterable[tuple[int, Row]],
    problems: Sequence[Problem],
    *,
    name: str,
    seed: int,
    model: str = "",
    own: OwnNames | None = None,
    no_ids: str = "",
) -> Joined:
    """All draws of rows that belong to one of the problems; `model` names their donor, `seed` orders those without number.

    `own`: ids of the data files' own, or in words why there are none (`no_ids`).

    Raises ValueError, with the line, for a row of no known form, a draw that occurs twice, draws with and without numbers in
    one file, a row whose ids and question name two problems, and a file of which no row belongs to any.
    """
    found, known = _Found(), _Known.of(problems, own)
    for line, row in rows:
        where = f"{name}: line {line}"
        _take(parsed(row, where=where, own=own.columns if own else ()), found, known, where=where)
    if not found.numbered and not found.loose:
        raise ValueError(_none_joined(found, own, name=name, no_ids=no_ids))
    if found.numbered and found.loose:
        raise ValueError(f"{name} has rows with and without the field 'draw': number all draws of a question, or none")
    samples = []
    for problem in problems:
        drawn = _ordered(problem.id, found, seed=seed)
        samples += [
            Sample(problem.id, i, one.text, one.truncated, one.num_tokens, model) for i, one in enumerate(drawn)
        ]
    order = "draw numbers" if found.numbered else f"shuffled by seed {seed}"
    return Joined(samples, _facts(samples, found, order, own))


def _none_joined(found: _Found, own: OwnNames | None, *, name: str, no_ids: str) -> str:
    """The message on a file of which no row belongs to any question, or none that does has a text."""
    if not found.unmatched:
        return (
            f"{name}: none of its {sum(found.forms.values())} rows has a text, {found.failed} are requests that failed: "
            "ask again, or give another file"
        )
    what = f"; unmatched are {'; '.join(found.unmatched[:MOST_NAMED])}" if found.unmatched else ""
    if own is not None:
        some = ", ".join(map(repr, list(own.questions)[:3]))
        ids = f"the training file's own ids stand in its {' and '.join(map(repr, own.columns))}, and are like {some}"
    else:
        ids = (
            f"ids of the training file's own are not read: {no_ids or 'it has none'}; else ids are those that this project "
            "gives a question (g-1f3c0a9be2d4, as `rft export` writes them)"
        )
    return (
        f"{name}: none of its {sum(found.forms.values())} rows belongs to a training question, by id or by its exact "
        f"words{what}. Give the rows the training file's question as `question`, or its id as `id`; {ids}"
    )


def _facts(samples: Sequence[Sample], found: _Found, order: str, own: OwnNames | None) -> JoinFacts:
    counts = Counter(sample.id for sample in samples)
    return JoinFacts(
        num_rows=sum(found.forms.values()) + found.repeated,
        num_draws=len(samples),
        num_questions=len(counts),
        max_draws=max(counts.values()),
        order=order,
        forms=dict(sorted(found.forms.items())),
        models=sorted(found.models)[:MOST_NAMED],
        unmatched_rows=len(found.unmatched),
        unmatched=found.unmatched[:MOST_NAMED],
        failed_requests=found.failed,
        repeated_rows=found.repeated,
        by_own_id=None if own is None else found.by_own_id,
    )


def _ordered(name: str, found: _Found, *, seed: int) -> list[ForeignDraw]:
    """The draws of a problem, in order."""
    if found.numbered:
        return [one for _, one in sorted(found.numbered.get(name, {}).items())]
    seen: Counter[str] = Counter()
    ranked = []
    for one in found.loose.get(name, ()):
        ranked.append((rank(f"imported-{seed}", name, one.text, seen[one.text]), one))
        seen[one.text] += 1
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


@dataclass(frozen=True)
class _Known:
    """Problems by what a row may call them."""

    by_name: Mapping[str, str]  # of the problems, by this project's ids and by those of the data files' own
    by_question: Mapping[str, str]
    questions: Mapping[str, str]  # by this project's ids

    @staticmethod
    def of(problems: Sequence[Problem], own: OwnNames | None) -> _Known:
        questions = {p.id: p.question for p in problems}
        by_form = {} if own is None else {normalise(text): name for name, text in questions.items()}
        asked = {} if own is None else own.questions
        named = {name: by_form[form] for name, form in asked.items() if form in by_form}
        by_question = {normalised_question(text): name for name, text in questions.items()}
        return _Known({**named, **{name: name for name in questions}}, by_question, questions)

    def match(self, row: Parsed, *, where: str) -> tuple[str | None, str | None]:
        """(the problem's id, the name by which alone it was found). Raises ValueError where a row names two problems."""
        found = {self.by_name[name]: name for name in reversed(row.names) if name in self.by_name}
        if len(found) > 1:
            raise ValueError(
                f"{where} has the ids of two problems, {' and '.join(map(repr, reversed(found.values())))}: leave one of "
                "them out"
            )
        by_id, name = next(iter(found.items()), (None, None))
        if row.question is None:
            return by_id, name
        by_words = self.by_question.get(normalised_question(row.question))
        if by_id is not None and by_words is None and normalise(row.question) == normalise(self.questions[by_id]):
            return by_id, None  # worded as another row of the question
        if by_id is not None and by_words != by_id:
            raise ValueError(
                f"{where} has the id {name!r}, but not that problem's question: it asks {row.question[:80]!r}, and the "
                f"problem is {self.questions[by_id][:80]!r}. Leave one of them out"
            )
        return by_words, None


def _take(row: Parsed, found: _Found, known: _Known, *, where: str) -> None:
    if row.filter is not None:
        found.filter = found.filter or row.filter
        if row.filter != found.filter:
            found.repeated += 1
            return
    found.forms[row.form] += 1
    found.failed += row.failed
    found.models |= {row.model} if row.model else set()
    name, called = known.match(row, where=where)
    found.by_own_id += called is not None and called != name
    if name is None:
        asked = row.question if row.question is not None else f"id {', '.join(row.names) or 'none'}"
        found.unmatched.append(f"{where.rpartition(': ')[2]}: {asked[:80]}")
        return
    for one in row.draws:
        if one.draw is None:
            found.loose.setdefault(name, []).append(one)
            continue
        numbered = found.numbered.setdefault(name, {})
        if one.draw in numbered:
            raise ValueError(
                f"{where} repeats draw {one.draw} of problem {name!r}: a pool is one donor's, split the file by model"
            )
        numbered[one.draw] = one
