"""Rows of solutions that somebody else drew, in the forms in which they are kept.

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

Only a number in the field `draw`, of a row with one text or of an object in a list, says which draw a text is. What a row
calls its question stands in `id`, `custom_id` or `problem_id`, or where the data file has its own ids (`own`):

    >>> parsed({"uid": 7, "text": "24"}, where="line 1", own=("uid",)).names
    ('7',)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rft.text.rowmap import value_at
from rft.text.rows import Row, flag_field, text_field

ID_KEYS = ("id", "custom_id", "problem_id")
QUESTION_KEYS = ("question", "query", "problem", "instruction")
TEXT_KEYS = ("text", "completion", "response", "output", "generation", "solution")
LIST_KEYS = ("completions", "responses", "outputs", "generations", "samples", "solutions", "texts")
PLACE = "doc_id"  # of lm_eval
_DEEP = frozenset(".[")  # letters of a path that goes into a field
OK = 200  # status of a request that was answered
CUT = "length"  # `finish_reason` of a text that hit the limit of tokens


@dataclass(frozen=True)
class ForeignDraw:
    """One text."""

    text: str
    truncated: bool = False  # as far as the row says
    num_tokens: int = 0  # 0: not said
    draw: int | None = None  # its number, where the file gives one


@dataclass(frozen=True)
class Parsed:
    """One row."""

    form: str  # one | list | openai | lm_eval
    names: tuple[str, ...]  # what may be the problem's id
    question: str | None
    model: str
    draws: tuple[ForeignDraw, ...]
    failed: int = 0  # requests that came to nothing: no draws
    filter: str | None = None  # lm_eval writes a row for each of its filters, with the same texts


def parsed(row: Row, *, where: str, own: Sequence[str] = ()) -> Parsed:
    """A row of whichever form. Raises ValueError for one of none, naming its fields.

    `own`: paths at which the data files have ids of their own; rows may have them there too.
    """
    found, draw = _parsed(row, where=where, own=own), _draw(row, where)
    if draw is None or not found.draws:
        return found
    if len(found.draws) > 1:
        raise ValueError(
            f"{where} has the draw {draw} and {len(found.draws)} texts: number each of them, as "
            '[{"text": ..., "draw": ...}], or none'
        )
    return replace(found, draws=(replace(found.draws[0], draw=draw),))


def _parsed(row: Row, *, where: str, own: Sequence[str]) -> Parsed:
    reply = _reply(row)
    if "resps" in row:
        return _lm_eval(row, where, own)
    names, question, model = _names(row, own), _question(row, where), str(row.get("model") or "")
    if reply is not None:
        draws, failed = _choices(reply, row, where)
        return Parsed("openai", names, question, str(reply.get("model") or model), draws, failed=failed)
    for name in LIST_KEYS:
        if isinstance(row.get(name), list):
            draws = tuple(_one(item, where) for item in row[name])
            return Parsed("list", names, question, model, _cut_as_said(draws, row, where))
    key = next((name for name in TEXT_KEYS if isinstance(row.get(name), str)), None)
    if key is None and "response" in row and row["response"] is None:  # of a batch: no reply came
        return Parsed("openai", names, question, model, (), failed=1)
    if key is None:
        raise ValueError(
            f"{where} has no solution (its fields are {', '.join(sorted(row)) or 'none'}): expected one text in "
            f"{', '.join(TEXT_KEYS)}, a list in {', '.join(LIST_KEYS)}, an OpenAI reply with 'choices', or the 'resps' of "
            "lm-evaluation-harness"
        )
    return Parsed("one", names, question, model, (_one({**row, "text": row[key]}, where),))


def _names(row: Row, own: Sequence[str]) -> tuple[str, ...]:
    values = [_at(row, path) for path in dict.fromkeys((*ID_KEYS, *own))]
    return tuple(text for value in values if (text := id_text(value)) is not None)


def id_text(value: Any) -> str | None:
    """An id as text; None for what is none: nothing, true and false, fractions, objects and lists.

    >>> id_text(7) == id_text(7.0) == id_text("7")        # a whole number is how it is written; "07" is another id
    True
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as tables have whole numbers beside empty cells
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _at(row: Row, path: str) -> Any:
    if path in row or not _DEEP.intersection(path):
        return row.get(path)
    try:
        return value_at(row, path)
    except ValueError:  # not there
        return None


def _question(row: Row, where: str) -> str | None:
    """The question of a row, or the last message of a user in a request."""
    for key in QUESTION_KEYS:
        if isinstance(row.get(key), str):
            return str(row[key])
    request = row["request"] if isinstance(row.get("request"), dict) else row
    request = request["body"] if isinstance(request.get("body"), dict) else request
    turns = request.get("messages")
    if not isinstance(turns, list):
        return None
    if not all(isinstance(turn, dict) for turn in turns):
        raise ValueError(f"{where} has messages that are no objects with role and content")
    asked = [turn for turn in turns if turn.get("role") == "user"]
    return _content(asked[-1].get("content"), where) if asked else None


def _content(value: Any, where: str) -> str:
    """The text of a message or choice: a text, a list of parts with texts, or nothing."""
    parts = value if isinstance(value, list) else [{"text": value or ""}]
    texts = [part.get("text", "") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{where} has a {type(value).__name__} where the text of a message is expected")
    return "".join(texts)


def _draw(row: Row, where: str) -> int | None:
    draw = row.get("draw")
    if draw is not None and (not isinstance(draw, int) or isinstance(draw, bool) or draw < 0):
        raise ValueError(f"{where} has the draw {draw!r}, expected a whole number from 0 on")
    return draw


def _one(item: Any, where: str) -> ForeignDraw:
    """A text, or an object with one."""
    if isinstance(item, str):
        return ForeignDraw(_whole(item, where))
    if not isinstance(item, dict):
        raise ValueError(f"{where} has a {type(item).__name__} among its solutions, expected texts")
    tokens = item.get("num_tokens")
    return ForeignDraw(
        _whole(text_field(item, "text", where=where), where),
        _is_cut(item, where),
        tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else 0,
        _draw(item, where),
    )


def _whole(text: str, where: str) -> str:
    """A text as it is kept. Raises ValueError for what no file and no tokenizer takes, as rows of training files do."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{where} holds half of a surrogate pair, which is no text: mend the file's encoding"
        ) from None
    return text.strip()


def _is_cut(item: Row, where: str) -> bool:
    return flag_field(item, "truncated", where=where) or item.get("finish_reason") == CUT


def _cut_as_said(draws: tuple[ForeignDraw, ...], row: Row, where: str) -> tuple[ForeignDraw, ...]:
    """The texts of a list, of which the row itself may say that they were cut."""
    if isinstance(row.get("finish_reason"), list) or (_is_cut(row, where) and len(draws) > 1):
        raise ValueError(
            f"{where} says beside a list of {len(draws)} texts what was cut at the limit: say it of each of them, as "
            '[{"text": ..., "truncated": true}]'
        )
    return tuple(replace(one, truncated=True) for one in draws) if _is_cut(row, where) else draws


def _reply(row: Row) -> Mapping[str, Any] | None:
    """The reply of an OpenAI-style server: the row itself, its `response`, or the body of that."""
    if isinstance(row.get("choices"), list):
        return row
    reply = row.get("response")
    if not isinstance(reply, dict):
        return None
    body = reply.get("body")
    return body if isinstance(body, dict) else reply


def _choices(reply: Mapping[str, Any], row: Row, where: str) -> tuple[tuple[ForeignDraw, ...], int]:
    """(its texts, requests that failed): a fault of a server is no answer. Raises ValueError for a reply of another form."""
    if isinstance(reply.get("choices"), list):
        return tuple(_choice(choice, where) for choice in reply["choices"]), 0
    if not _says_failed(reply, row):
        raise ValueError(
            f"{where} has a reply without 'choices' (its fields are {', '.join(sorted(map(str, reply))) or 'none'}) that "
            "names no error: expected OpenAI's chat or completion reply, or the text itself"
        )
    return (), 1


def _says_failed(reply: Mapping[str, Any], row: Row) -> bool:
    """Whether a reply is one to a request that came to nothing."""
    answered = row["response"] if isinstance(row.get("response"), dict) else row
    status = answered.get("status_code")
    said = [one.get("error") for one in (reply, answered, row)]
    return any(said) or "choices" in reply or (isinstance(status, int) and status != OK)


def _choice(choice: Any, where: str) -> ForeignDraw:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not (isinstance(message, dict) or "text" in choice):
        raise ValueError(f"{where} has a choice without 'message' or 'text'")
    text = message.get("content") if isinstance(message, dict) else choice["text"]
    return ForeignDraw(_whole(_content(text, where), where), choice.get("finish_reason") == CUT)


def _lm_eval(row: Row, where: str, own: Sequence[str]) -> Parsed:
    """A row of lm-evaluation-harness: one document, one request, its repeats.

    Its `doc_id` is a place in the task's split, and so an id only where a data file has that place as its column `doc_id`.
    """
    doc = row.get("doc")
    if not isinstance(doc, dict) or not isinstance(row["resps"], list):
        raise ValueError(f"{where} has 'resps' and no 'doc': expected a row of lm-evaluation-harness --log_samples")
    texts = [text for replies in row["resps"] for text in (replies if isinstance(replies, list) else [replies])]
    draws = tuple(_one(text, where) for text in texts)
    names = _names(doc, own) or (_names({PLACE: row.get(PLACE)}, own) if PLACE in own else ())
    return Parsed("lm_eval", names, _question(doc, where), "", draws, filter=str(row.get("filter", "none")))
