"""Equations of a solution written in plain text, for models that write no `<<...>>` annotations.

    >>> extract("She sold 48 / 2 = 24 clips. 3 shirts x $5 each = $15.")
    ['48/2=24', '3*5=15']
    >>> extract("20% of 1,800 = 360, and 2 * 3 + 4 = 6 + 4 = 10")
    ['20*0.01*1800=360', '2*3+4=10', '6+4=10']
    >>> operations("1800*20%=360")
    ('1800', '*', '20', '*', '0.01')

An equation is read around every `=` (or `equals`): to its left the longest run of numbers joined by operators, skipping units
and short comments between them; to its right the value. Not read: values computed without writing an equation,
algebra (`2x = 8`), and sums told in words across a sentence. Recall and precision on GSM8K are pinned in the tests.
Time is linear in the length of the text, of which only MAX_CHARACTERS are read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rft.text.numbers import canonical_number

MAX_SKIPPED_WORDS = 6  # between an operand and the next operator: "36 jumping jacks on Tuesday morning + 40"
MAX_TOKENS = 120  # left of one '='
MAX_CHARACTERS = 50_000  # of a text; what follows is not read (solutions have under 2,000)

_TOKEN = re.compile(
    r"(?P<num>[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)"
    r"|(?P<op>\*\*|//|[-+*/×÷−–—·⋅])"
    r"|(?P<eq>==?|≈)"
    r"|(?P<left>[(\[{])|(?P<right>[)\]}])"
    r"|(?P<pct>%)"
    r"|(?P<word>[^\W\d_]+(?:['’.][^\W\d_]+)*)"
    r"|(?P<skip>[\s$£€¢\"\\_]+)"
    r"|(?P<stop>.)",
    re.DOTALL,
)
_OPERATORS = {"×": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "·": "*", "⋅": "*"}
_WORD_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "x": "*", "X": "*"}


class _Token(NamedTuple):  # not a dataclass: they are made by the million, and this takes a third of the time
    kind: str  # num | op | eq | left | right | word | stop
    text: str
    start: int
    end: int
    is_sign: bool = (
        False  # a minus that is glued to what follows and not to what stands before: of '-5 + 8', not of '3 - 5'
    )


def _tokens(line: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(line):
        kind, text = match.lastgroup or "stop", match[0]
        if kind == "skip":
            continue
        if kind == "pct":
            if found and found[-1].kind == "num":
                found[-1] = _Token("num", found[-1].text + "%", found[-1].start, match.end())
            continue
        if kind == "num":
            text = text.rstrip(",")
        if kind == "op":
            text = _OPERATORS.get(text, text)
        if kind == "word" and text in ("equals", "equal"):
            kind = "eq"
        if kind in ("num", "left") and found and _signs(line, found[-1], match.start()):
            found[-1] = found[-1]._replace(is_sign=True)
        found.append(_Token(kind, text, match.start(), match.end()))
    return _with_word_operators(found)


def _signs(line: str, token: _Token, start: int) -> bool:
    """Whether a token is written as the sign of what starts there; a long dash is none."""
    if token.text != "-" or line[token.start] == "—" or re.search(r"\s", line[token.end : start]):
        return False
    return token.start == 0 or re.match(r"[\w)\]}%.]", line[token.start - 1]) is None


def _with_word_operators(tokens: list[_Token]) -> list[_Token]:
    """Turn `plus`, `x`, `divided by`, `% of` into operators, and operators inside words and units into words."""
    result: list[_Token] = []
    for i, token in enumerate(tokens):
        before = result[-1] if result else None
        after = tokens[i + 1] if i + 1 < len(tokens) else None
        kind, text = token.kind, token.text
        opens = after is not None and after.kind in ("num", "left")
        if kind == "word" and text in _WORD_OPERATORS and opens:
            kind, text = "op", _WORD_OPERATORS[text]
        elif (
            kind == "word"
            and text == "by"
            and opens
            and before is not None
            and before.text in ("divided", "multiplied")
        ):
            kind, text = "op", "/" if before.text == "divided" else "*"
            result.pop()
        elif kind == "word" and text == "of" and opens and before is not None and before.text.endswith("%"):
            kind, text = "op", "*"
        elif kind == "op" and not opens and not (after is not None and after.kind == "op"):
            kind = "word"  # the slash of km/h, the hyphen of 4-inch, a bullet
        result.append(token if kind == token.kind else token._replace(kind=kind, text=text))
    return result


def _is_variable(tokens: list[_Token], i: int) -> bool:
    """Whether token i is a letter of algebra: the x of `2x`, or a single letter next to an operator."""
    if tokens[i].kind != "word" or len(tokens[i].text) != 1 or not tokens[i].text.isalpha():
        return False
    before = tokens[i - 1] if i > 0 else None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    glued = before is not None and before.kind == "num" and before.end == tokens[i].start
    return glued or any(near is not None and near.kind == "op" for near in (before, after))


def _comment_start(tokens: list[_Token], end: int) -> int | None:
    """Index of the `(` of a comment such as `12 (from 3 miles)` that closes at `end`; None for an expression."""
    for i in range(end - 1, max(-1, end - 1 - MAX_SKIPPED_WORDS * 2), -1):
        if tokens[i].kind == "left":
            inner = tokens[i + 1 : end]
            worded = bool(inner) and inner[0].kind == "word"
            return i if worded and i > 0 and tokens[i - 1].kind in ("num", "word") else None
        if tokens[i].kind == "right":
            return None
    return None


def _left_side(tokens: list[_Token], end: int) -> list[_Token]:
    """The run of operands and operators that ends before index `end`, units dropped; [] for none and for algebra."""
    taken: list[_Token] = []
    skipped, i = 0, end - 1
    want_operand = True
    while i >= 0 and len(taken) < MAX_TOKENS:
        token = tokens[i]
        if _is_variable(tokens, i):
            return []
        comment = _comment_start(tokens, i) if token.kind == "right" and want_operand else None
        if comment is not None:
            i = comment - 1
            continue
        if not want_operand and token.kind == "num" and taken[-1].kind == "left" and token.end == taken[-1].start:
            taken.append(_Token("op", "*", token.end, token.end))  # 2(3 + 4)
            want_operand = True
        expected = ("num", "word", "right") if want_operand else ("op", "left")
        if taken and taken[-1].is_sign and token.kind in ("op", "left"):  # '2 * -5', '(-5)'
            expected = ("op", "left")
        if token.kind not in expected:  # also at a full stop and at the previous '='
            break
        skipped = skipped + 1 if token.kind == "word" else 0
        if skipped > MAX_SKIPPED_WORDS:
            break
        if token.kind != "word":
            taken.append(token)
        want_operand = token.kind in ("word", "right", "op")
        i -= 1
    return _trimmed(taken[::-1])


def _trimmed(run: list[_Token]) -> list[_Token]:
    """Without a dangling operator in front, a sign excepted, and without parentheses that do not pair up."""
    while run and run[0].kind == "op" and not run[0].is_sign:
        run = run[1:]
    depth = 0
    for token in run:
        depth += (token.kind == "left") - (token.kind == "right")
        if depth < 0:
            break
    if depth != 0:
        run = [token for token in run if token.kind not in ("left", "right")]
    return run


def _number(text: str) -> str:
    number = canonical_number(text.rstrip("%")) or "0"
    return f"{number}*0.01" if text.endswith("%") else number


def _written(run: list[_Token]) -> str:
    parts = []
    for token in run:
        if token.kind == "num":
            parts.append(_number(token.text))
        else:
            parts.append({"left": "(", "right": ")"}.get(token.kind, token.text))
    return "".join(parts)


def _value(tokens: list[_Token], start: int) -> str | None:
    """The number that stands right of an '=': after an optional minus sign."""
    sign = ""
    if start < len(tokens) and tokens[start].text == "-":
        sign, start = "-", start + 1
    if start < len(tokens) and tokens[start].kind == "num":
        return sign + _number(tokens[start].text)
    return None


def extract(text: str) -> list[str]:
    """All equations of a text in order, e.g. ["48/2=24"], in the spelling of annotations; [] when there is none."""
    found: list[str] = []
    for line in text[:MAX_CHARACTERS].split("\n"):
        if "=" in line or "equal" in line or "≈" in line:
            found += _line_equations(_tokens(line))
    return found


def _line_equations(tokens: list[_Token]) -> list[str]:
    found = []
    signs = [i for i, token in enumerate(tokens) if token.kind == "eq"]
    if not signs:  # "equally"
        return []
    for sign, following in zip(signs, [*signs[1:], len(tokens)], strict=True):
        run = _left_side(tokens, sign)
        if not any(token.kind == "op" for token in run):
            continue
        value = _value(tokens, sign + 1)
        if value is None or any(_is_variable(tokens, i) for i in range(sign + 2, min(sign + 4, len(tokens)))):
            continue
        chained = _left_side(tokens, following) if following < len(tokens) else []
        if chained[1:] and chained[0] is tokens[sign + 1]:  # `= 6 + 4 = 10`: the value is the last one
            value = _value(tokens, following + 1) or value
        found.append(f"{_written(run)}={value}")
    return found


_OPERATION = re.compile(r"[0-9][0-9,]*(?:\.[0-9]*)?%?|\.[0-9]+%?|\*\*|//|[-+*/%]")


def operations(equation: str) -> tuple[str, ...]:
    """Operands and operators of an equation's left side, normalised: the identity that recall and precision compare.

    Parentheses are left out, numbers are in canonical spelling, `n%` is `n * 0.01`.
    """
    parts: list[str] = []
    for found in _OPERATION.findall(equation.split("=")[0]):
        if found[0] not in "0123456789.":
            parts.append(found)
        elif found.endswith("%"):
            parts += [_canonical(found[:-1]), "*", "0.01"]
        else:
            parts.append(_canonical(found))
    return tuple(parts)


def _canonical(digits: str) -> str:
    return canonical_number(digits) or digits
