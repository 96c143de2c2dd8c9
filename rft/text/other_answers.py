r"""Grading rules on other answers than numbers: mathematics in LaTeX, exact text, letters of a choice.

    >>> [rule.name for rule in OTHER_RULES]
    ['math_verify', 'exact', 'choice']
    >>> EXACT.find("Paris is on it.\n#### The  Seine").answer
    'The Seine'
    >>> [CHOICE.find(text).answer for text in ("The answer is (b).", "#### C", r"so \boxed{\text{D}}", "A. no\nAnswer: E")]
    ['B', 'C', 'D', 'E']
    >>> [CHOICE.find(text) for text in ("A good start", "The answer is B or C", "The answer is I think")]
    [None, None, None]

`exact` and `choice` are of this project: the answer stands behind the last `####`, in the last `\boxed{...}`, behind `A:` or
`Answer:` at the start of a line, or (choice) behind `answer is`, whichever is last in the text. An option may be followed by
its text (`B. Paris`), and not by another option. Text is compared in Unicode's composed form (NFC).
"""

from __future__ import annotations

import re
import unicodedata

from rft.text.math_answers import MATH_VERIFY
from rft.text.numbers import Found
from rft.text.rowmap import span_of_boxed
from rft.text.rule import Rule

_LINE = re.compile(r"(?:####|^[ \t]*[*_]{0,3}(?:A|Answer):[*_]{0,3})[ \t]*(?P<answer>[^\n]*)", re.MULTILINE)
# `B or C` and `A, B` choose nothing; `B, I think` and `B, a city` do
_NO_OTHER = r"(?![*$]*\s*(?:,|/|-|&|or\b|and\b)\s*[*$]*(?:\([A-Za-z]\)|[A-HJ-Z])(?!\w))"
# A bare small letter is an answer where nothing follows: `the answer is a triangle` states none
_SAYS = re.compile(
    r"\b(?i:answer|option|choice)\s*(?i:is|:)\s*:?\s*"
    r"[*$]*(?P<answer>(?!I\s+[a-z])\(?[A-Z]\)?+(?!\w|\s*[=<>^_])|\(?[a-z]\)|[a-z](?=[*$ \t]*(?:[.,;:!]|$)))"
    + _NO_OTHER,
    re.MULTILINE,
)
_LETTER = re.compile(
    r"[(\[]?\s*(?:\\(?:text|textbf|textrm|mathrm|mathbf)\{\s*\(?\s*)?([A-Za-z])\s*\)?\s*\}?\s*[)\]]?\s*[.:]?"
)
_WITH_TEXT = re.compile(r"(?:\(\s*([A-Za-z])\s*\)|([A-Za-z])\s*[.):])" + _NO_OTHER + r"\s+\S.*")
_MARKS = "*$ \t"  # of Markdown and LaTeX, around a letter


def _stated(text: str, *, says: bool) -> tuple[str, int] | None:
    """(the last stated answer, the place where it ends)."""
    found = [(match["answer"], match.end("answer")) for match in _LINE.finditer(text)]
    box = span_of_boxed(text)
    found += [(text[box[0] : box[1]], box[1])] if box is not None else []
    found += [(match["answer"], match.end("answer")) for match in _SAYS.finditer(text)] if says else []
    stated = [(answer.strip(), end) for answer, end in found if answer.strip()]
    return max(stated, key=lambda one: one[1], default=None)


def _exact(text: str) -> Found | None:
    found = _stated(text, says=False)
    if found is None:
        return None
    return Found(" ".join(unicodedata.normalize("NFC", found[0]).split()), found[1] < len(text))


def _choice(text: str) -> Found | None:
    found = _stated(text, says=True)
    if found is None:
        return None
    stated = found[0].strip(_MARKS)
    match = _LETTER.fullmatch(stated) or _WITH_TEXT.fullmatch(stated)
    letter = next(filter(None, match.groups()), None) if match is not None else None
    return None if letter is None else Found(letter.upper(), found[1] < len(text))


def _marked(gold: str) -> str:
    """On one line, as a solution must state it: of several lines the first alone would be compared."""
    return f"#### {' '.join(gold.split())}\n"


EXACT = Rule(
    "exact", _exact, str.__eq__, "the last stated answer, equal as text but for spaces", _marked, False,
    "write the text that a solution must state, on one line", version=2,
)  # fmt: skip
CHOICE = Rule(
    "choice", _choice, str.__eq__, "the last stated letter, whatever its case", _marked, False,
    "write one letter, such as B or (B)", version=2,
)  # fmt: skip
OTHER_RULES = (MATH_VERIFY, EXACT, CHOICE)
