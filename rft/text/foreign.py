"""Solutions that somebody else drew, in the forms in which they are kept, joined to problems by id or by exact question.

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

from rft.records import Problem, Sample
from rft.text.foreign_rows import ForeignDraw, Parsed, parsed
from rft.text.gsm8k import normalised_question
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
    filter: str | None = None


def join_draws(
    rows: Iterable[tuple[int, Row]], problems: Sequence[Problem], *, name: str, seed: int, model: str = ""
) -> Joined:
    """All draws of rows that belong to one of the problems; `model` names their donor, `seed` orders those without number.

    Raises ValueError, with the line, for a row of no known form, a draw that occurs twice, draws with and without numbers in
    one file, a row whose ids and question name two problems, and a file of which no row belongs to any.
    """
    found, known = _Found(), _Known.of(problems)
    for line, row in rows:
        _take(parsed(row, where=f"{name}: line {line}"), found, known, where=f"{name}: line {line}")
    if not found.numbered and not found.loose:
        what = f"; unmatched are {'; '.join(found.unmatched[:MOST_NAMED])}" if found.unmatched else ""
        raise ValueError(
            f"{name}: none of its {sum(found.forms.values())} rows belongs to a training question, by id or by its exact "
            f"words{what}. Give the rows the training file's question as `question`; ids are those that this project gives a "
            "question (g-1f3c0a9be2d4, as `rft export` writes them), ids of a data file's own are not read"
        )
    if found.numbered and found.loose:
        raise ValueError(f"{name} has rows with and without the field 'draw': number all draws of a question, or none")
    samples = []
    for problem in problems:
        drawn = _ordered(problem.id, found, seed=seed)
        samples += [
            Sample(problem.id, i, one.text, one.truncated, one.num_tokens, model) for i, one in enumerate(drawn)
        ]
    order = "draw numbers" if found.numbered else f"shuffled by seed {seed}"
    return Joined(samples, _facts(samples, found, order))


def _facts(samples: Sequence[Sample], found: _Found, order: str) -> JoinFacts:
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

    ids: frozenset[str]
    by_question: Mapping[str, str]

    @staticmethod
    def of(problems: Sequence[Problem]) -> _Known:
        return _Known(frozenset(p.id for p in problems), {normalised_question(p.question): p.id for p in problems})

    def match(self, row: Parsed, *, where: str) -> str | None:
        """The problem's id. Raises ValueError where ids and question name two problems."""
        found = [name for name in dict.fromkeys(row.names) if name in self.ids]
        if len(found) > 1:
            raise ValueError(
                f"{where} has the ids of two problems, {' and '.join(map(repr, found))}: leave one of them out"
            )
        by_id = found[0] if found else None
        by_words = None if row.question is None else self.by_question.get(normalised_question(row.question))
        if by_id is not None and row.question is not None and by_words != by_id:
            raise ValueError(f"{where} has the id {by_id!r}, but not that problem's question: leave one of them out")
        return by_id or by_words


def _take(row: Parsed, found: _Found, known: _Known, *, where: str) -> None:
    if row.filter is not None:
        found.filter = found.filter or row.filter
        if row.filter != found.filter:
            found.repeated += 1
            return
    found.forms[row.form] += 1
    found.failed += row.failed
    found.models |= {row.model} if row.model else set()
    name = known.match(row, where=where)
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
