"""Solutions that somebody else drew, in the forms in which they are kept, joined to problems by id or by exact question.

    found = join_draws(numbered_rows(path), problems, name="pool.jsonl", seed=0)
    found.samples[0], found.facts.unmatched_rows

A row of each form, and the texts in it:

    >>> texts = lambda row: [one.text for one in parsed(row, where="line 1").draws]
    >>> texts({"question": "Half of 48?", "response": "48/2=24", "draw": 0})                      # one completion a row
    ['48/2=24']
    >>> texts({"id": "g-1", "completions": ["48/2=24", {"text": "24"}]})                          # a list of them
    ['48/2=24', '24']
    >>> reply = {"choices": [{"message": {"content": "24"}, "finish_reason": "stop"}]}            # OpenAI's replies, bare,
    >>> texts({"custom_id": "g-1", "response": {"status_code": 200, "body": reply}})              # or of its batch files
    ['24']
    >>> texts({"doc": {"question": "Half of 48?"}, "resps": [["24", "25"]], "filter": "none"})    # lm-eval --log_samples
    ['24', '25']

Only a number in the field `draw` says which draw a text is. Places in a list or file say nothing: some sort by score, and
files are sorted by who knows what. Such draws get a random order that follows from seed, question and text alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rft.records import Problem, Sample
from rft.text.gsm8k import normalised_question
from rft.text.rows import Row, flag_field, text_field
from rft.text.subsets import rank

ID_KEYS = ("id", "custom_id", "problem_id")
QUESTION_KEYS = ("question", "query", "problem", "instruction")
TEXT_KEYS = ("text", "completion", "response", "output", "generation", "solution")
LIST_KEYS = ("completions", "responses", "outputs", "generations", "samples", "solutions", "texts")
MOST_NAMED = 5  # of unmatched rows, and of models


@dataclass(frozen=True)
class ForeignDraw:
    """One text."""

    text: str
    truncated: bool = False  # as far as the row says
    num_tokens: int = 0  # 0: not said


@dataclass(frozen=True)
class Parsed:
    """One row."""

    form: str  # one | list | openai | lm_eval
    names: tuple[str, ...]  # what may be the problem's id
    question: str | None
    model: str
    draws: tuple[ForeignDraw, ...]
    draw: int | None = None  # its number, where the row gives one
    failed: int = 0  # requests that came to nothing: no draws
    filter: str | None = None  # lm_eval writes a row for each of its filters, with the same texts


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

    Raises ValueError, with the line, for a row of no known form, a draw that occurs twice, rows with and without draw numbers
    in one file, a row whose id and question name two problems, and a file of which no row belongs to any.
    """
    found, known = _Found(), _Known.of(problems)
    for line, row in rows:
        _take(parsed(row, where=f"{name}: line {line}"), found, known, where=f"{name}: line {line}")
    if not found.numbered and not found.loose:
        what = f"; unmatched are {'; '.join(found.unmatched[:MOST_NAMED])}" if found.unmatched else ""
        raise ValueError(
            f"{name}: none of its {sum(found.forms.values())} rows belongs to a training question, by id or by its exact "
            f"words{what}. Give the rows the field id or question of the training file"
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
        """The problem's id. Raises ValueError where id and question name two problems."""
        by_id = next((name for name in row.names if name in self.ids), None)
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
    elif row.draw is None:
        if row.draws:
            found.loose.setdefault(name, []).extend(row.draws)
    else:
        numbered = found.numbered.setdefault(name, {})
        if row.draw in numbered:
            raise ValueError(
                f"{where} repeats draw {row.draw} of problem {name!r}: a pool is one donor's, split the file by model"
            )
        numbered[row.draw] = row.draws[0]


def parsed(row: Row, *, where: str) -> Parsed:
    """A row of whichever form. Raises ValueError for one of none, naming its fields."""
    reply = _reply(row)
    if "resps" in row:
        return _lm_eval(row, where)
    names, question, model = _names(row), _question(row), str(row.get("model") or "")
    if reply is not None or ("response" in row and row["response"] is None):
        draws, failed = _choices(reply, where)
        return Parsed("openai", names, question, str((reply or {}).get("model") or model), draws, failed=failed)
    for name in LIST_KEYS:
        if isinstance(row.get(name), list):
            return Parsed("list", names, question, model, tuple(_one(item, where) for item in row[name]))
    key = next((name for name in TEXT_KEYS if isinstance(row.get(name), str)), None)
    if key is None:
        raise ValueError(
            f"{where} has no solution (its fields are {', '.join(sorted(row)) or 'none'}): expected one text in "
            f"{', '.join(TEXT_KEYS)}, a list in {', '.join(LIST_KEYS)}, an OpenAI reply with 'choices', or the 'resps' of "
            "lm-evaluation-harness"
        )
    return Parsed("one", names, question, model, (_one({**row, "text": row[key]}, where),), draw=_draw(row, where))


def _names(row: Row) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in ID_KEYS if isinstance(row.get(key), str | int))


def _question(row: Row) -> str | None:
    """The question of a row, or the last message of a user in a request."""
    for key in QUESTION_KEYS:
        if isinstance(row.get(key), str):
            return str(row[key])
    request = row["request"] if isinstance(row.get("request"), dict) else row
    request = request["body"] if isinstance(request.get("body"), dict) else request
    turns = request.get("messages")
    asked = [turn for turn in turns if turn.get("role") == "user"] if isinstance(turns, list) else []
    return str(asked[-1]["content"]) if asked else None


def _draw(row: Row, where: str) -> int | None:
    draw = row.get("draw")
    if draw is not None and (not isinstance(draw, int) or isinstance(draw, bool) or draw < 0):
        raise ValueError(f"{where} has the draw {draw!r}, expected a whole number from 0 on")
    return draw


def _one(item: Any, where: str) -> ForeignDraw:
    """A text, or an object with one."""
    if isinstance(item, str):
        return ForeignDraw(item.strip())
    if not isinstance(item, dict):
        raise ValueError(f"{where} has a {type(item).__name__} among its solutions, expected texts")
    tokens = item.get("num_tokens")
    return ForeignDraw(
        text_field(item, "text", where=where).strip(),
        flag_field(item, "truncated", where=where),
        tokens if isinstance(tokens, int) else 0,
    )


def _reply(row: Row) -> Mapping[str, Any] | None:
    """The reply of an OpenAI-style server: the row itself, its `response`, or the body of that."""
    if isinstance(row.get("choices"), list):
        return row
    reply = row.get("response")
    if not isinstance(reply, dict):
        return None
    body = reply.get("body")
    return body if isinstance(body, dict) else reply


def _choices(reply: Mapping[str, Any] | None, where: str) -> tuple[tuple[ForeignDraw, ...], int]:
    """(its texts, requests that failed): a fault of a server is no answer."""
    if reply is None or not isinstance(reply.get("choices"), list):
        return (), 1
    return tuple(_choice(choice, where) for choice in reply["choices"]), 0


def _choice(choice: Any, where: str) -> ForeignDraw:
    if not isinstance(choice, dict) or not ("message" in choice or "text" in choice):
        raise ValueError(f"{where} has a choice without 'message' or 'text'")
    text = choice["message"].get("content") if "message" in choice else choice["text"]
    return ForeignDraw((text or "").strip(), choice.get("finish_reason") == "length")


def _lm_eval(row: Row, where: str) -> Parsed:
    """A row of lm-evaluation-harness: one document, one request, its repeats."""
    doc = row.get("doc")
    if not isinstance(doc, dict) or not isinstance(row["resps"], list):
        raise ValueError(f"{where} has 'resps' and no 'doc': expected a row of lm-evaluation-harness --log_samples")
    texts = [text for replies in row["resps"] for text in (replies if isinstance(replies, list) else [replies])]
    draws = tuple(_one(text, where) for text in texts)
    return Parsed("lm_eval", _names(doc), _question(doc), "", draws, filter=str(row.get("filter", "none")))
