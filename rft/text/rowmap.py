r"""How a row of any form becomes a question, a solution and a gold answer: `data.adapter` of a data set's file.

    >>> row = {"item": {"text": "Half of 48?"}, "answers": [{"text": "48/2 = 24", "value": 24}]}
    >>> RowMap(question="item.text", solution="answers[0].text", gold="answers[0].value").parts(row)
    ('Half of 48?', '48/2 = 24\n#### 24', '24')
    >>> RowMap(question="{Body} {Ask}", solution="Steps", gold_from="boxed").parts(
    ...     {"Body": "8 cows.", "Ask": "Legs?", "Steps": r"There are $\boxed{32}$."})
    ('8 cows. Legs?', 'There are $\\boxed{32}$.', '32')
    >>> RowMap(messages="conversations").parts({"conversations": [
    ...     {"from": "human", "value": "Half of 48?"}, {"from": "gpt", "value": "48/2 = 24\n#### 24"}]})
    ('Half of 48?', '48/2 = 24\n#### 24', ' 24')
    >>> RowMap(question="q", solution="rest.steps").parts({"q": "Half of 48?", "rest": '{"steps": "48/2 = 24\\n#### 24"}'})
    ('Half of 48?', '48/2 = 24\n#### 24', ' 24')

A path names a field, `.` goes into an object, `[0]` into a list, either of which may be written as JSON, as cells of tables
have it; a field whose own name has dots is found by it. Text with `{path}` in it is put together. Without `gold` the gold
answer is what stands behind the solution's last `####`, or in its last `\boxed{...}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rft.text.numbers import canonical_number
from rft.text.rows import BadGold, Row, unique_keys

MARKER, BOXED = "marker", "boxed"
ANSWER_LINE = re.compile(r"####\s*[-+$]?\s*[0-9.]")  # `#### Step 1` is a heading
_STEP = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>-?\d+)\]")
_FIELD = re.compile(r"\{([^{}]+)\}")
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant"}
_SYSTEM = "system"
MAX_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class RowMap:
    """Where the parts of a problem are in a row. `messages` stands for question and solution together."""

    question: str | None = None
    solution: str | None = None
    gold: str | None = None
    messages: str | None = None  # a list of turns: {role, content} (OpenAI) or {from, value} (ShareGPT)
    gold_from: str = MARKER  # marker | boxed: where the solution has it, if `gold` names no field

    def parts(self, row: Row) -> tuple[str, str, str]:
        """Question, solution, gold answer as written. Raises ValueError saying what is missing, BadGold for the gold."""
        question, solution = self._asked(row)
        if self.gold is None:
            return question, solution, gold_in(solution, self.gold_from)
        gold = text_at(row, self.gold).strip()
        number = canonical_number(gold)
        if number is not None and not isinstance(value_at(row, self.gold), str):
            gold = number  # a JSON number in decimals, 24.0 as 24
        has_answer = ANSWER_LINE.search(solution) or boxed(solution) is not None
        return question, solution if has_answer or number is None else f"{solution}\n#### {gold}", gold

    def _asked(self, row: Row) -> tuple[str, str]:
        if self.messages is not None:
            return asked_and_answered(value_at(row, self.messages), self.messages)
        assert self.question is not None, "checked before (rft.plan.validate)"
        assert self.solution is not None, "checked before (rft.plan.validate)"
        return text_at(row, self.question), text_at(row, self.solution)


def gold_in(solution: str, where: str) -> str:
    """The gold answer that a solution states; '' where it states none."""
    if where == BOXED:
        found = boxed(solution)
        if found is None:
            raise BadGold(r"has no \boxed{...} in its solution, from which the gold answer is read (adapter.gold_from)")
        return found.strip()
    return solution.rpartition("####")[2] if "####" in solution else ""


def boxed(text: str) -> str | None:
    r"""What stands in the last whole `\boxed{...}` of a text, braces matched; None without one.

    >>> boxed(r"$\boxed{1}$, so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    found = span_of_boxed(text)
    return None if found is None else text[found[0] : found[1]]


def span_of_boxed(text: str) -> tuple[int, int] | None:
    """(start, end) of the content of the last whole box."""
    for match in reversed(list(re.finditer(r"\\(?:boxed|fbox)\s*\{", text))):
        depth = 1
        for place in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0) if text[place - 1] != "\\" else 0
            if depth == 0:
                return match.end(), place
    return None


def text_at(row: Row, path: str) -> str:
    """The text at a path, or put together of several. Raises ValueError for what is no text or number."""
    if "{" not in path:
        return _text(value_at(row, path), path)
    return _FIELD.sub(lambda match: _text(value_at(row, match[1]), match[1]), path)


def _text(value: Any, path: str) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"has {_shown(value)} at {path!r}, expected text or a number")


def value_at(row: Row, path: str) -> Any:
    """The value at a path. Raises ValueError naming the first step that is not there, and what is."""
    if path in row:
        return row[path]
    value: Any = row
    done = ""
    for match in _STEP.finditer(path):
        value = _below(value, match, path=path, done=done)
        done = path[: match.end()]
    return value


def _below(value: Any, match: re.Match[str], *, path: str, done: str) -> Any:
    place = f" below {done!r}" if done else ""
    value = _opened(value)
    if match["index"] is not None:
        index = int(match["index"])
        if not isinstance(value, list):
            raise ValueError(f"has {_shown(value)}{place}, where {path!r} expects a list{_not_json(value)}")
        if not -len(value) <= index < len(value):
            raise ValueError(f"has a list of {len(value)}{place}, where {path!r} asks for item {index}")
        return value[index]
    name = match["name"]
    if not isinstance(value, Mapping):
        raise ValueError(
            f"has {_shown(value)}{place}, where {path!r} expects an object with {name!r}{_not_json(value)}"
        )
    if name not in value:
        raise ValueError(f"lacks {name!r}{place} (it has {', '.join(map(str, sorted(value))) or 'nothing'})")
    return value[name]


def _opened(value: Any) -> Any:
    """The object or list that a text is as JSON; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError):
        return value


def _not_json(value: Any) -> str:
    return " (a text is one where it is JSON)" if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {str(value)[:MAX_SHOWN]!r}"


def check_path(path: str) -> str:
    """Why a path cannot be read; '' where it can."""
    for one in _FIELD.findall(path) if "{" in path else [path]:
        if "".join(match[0] for match in _STEP.finditer(one)) != one or not one:
            return (
                f"{one!r} is no path: names with '.' between them and [0] for an item of a list, as in answers[0].text"
            )
    return ""


def asked_and_answered(turns: Any, path: str) -> tuple[str, str]:
    """Question and solution of a conversation: one question, one answer; a system message is left out.

    Raises ValueError for any other, with the roles that it has.
    """
    turns = _opened(turns)
    if not isinstance(turns, list):
        raise ValueError(f"has {_shown(turns)} at {path!r}, expected a list of messages")
    found = [_turn(turn, f"{path}[{place}]") for place, turn in enumerate(turns)]
    said = [turn for turn in found if turn[0] != _SYSTEM]
    if [role for role, _ in said] != ["user", "assistant"]:
        roles = ", ".join(role for role, _ in found) or "none"
        raise ValueError(f"has messages of {roles} at {path!r}, expected one of the user and one of the assistant")
    return said[0][1], said[1][1]


def _turn(turn: Any, place: str) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        raise ValueError(f"has {_shown(turn)} at {place!r}, expected a message")
    role, content = ("from", "value") if "from" in turn else ("role", "content")
    if role not in turn or content not in turn:
        raise ValueError(
            f"has a message with {', '.join(sorted(turn))} at {place!r}, expected role and content, or from and value"
        )
    value, name = turn[content], str(turn[role])
    if isinstance(value, list):  # parts, of which texts alone can be read
        value = "".join(_text(value_at(part, "text"), f"{place}.{content}") for part in value)
    return _ROLES.get(name, name), _text(value, f"{place}.{content}")
