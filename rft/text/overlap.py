"""Train-test overlap: questions are compared after normalising; a training question that is also a test question is refused.

    >>> normalise("Janet's  16 eggs?")
    'janet s 16 eggs'
    >>> normalise("What is 5!?"), normalise("Is x ≤ (2 − y)?"), normalise("A 4-inch nail, for $1,450.")
    ('what is 5 !', 'is x ≤ ( 2 - y )', 'a 4 inch nail for 1450')
    >>> overlaps(["What is 3 + 5?", "What is 3 - 5?"], ["what is 3-5"])     # (index in train, index in test)
    [(1, 0)]
    >>> refuse_overlap(["What is 3 - 5?"], ["what is 3-5"], name="train.jsonl")
    Traceback (most recent call last):
    ValueError: 1 of 1 questions of train.jsonl are in the test set; the first is question 1, test question 1: ...

A normalised question consists of words, numbers and signs. Every sign stays (operators, relations, brackets, units, those
of LaTeX) but what is typography in a sentence: punctuation behind and between words, hyphens of words and dashes, quotation
marks, apostrophes, commas between thousands, and the `$` of an amount or a formula. The same mark stays where it calculates:
"n - k" and "x-y", the factorials of 5! and n!, f'(x) and 5', a list's "1, 2", "0.5", "? + 3". Spellings of one sign are one:
<= and ≤, x² and x^2, − and -, × and *, full-width forms. In doubt a sign stays: two problems taken for one would lose
one of them, or be trained on with the other's solution.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rft.text.numbers import MINUS, canonical_number

_LETTER = r"[^\W\d_]"
_ONE = rf"(?<!{_LETTER}){_LETTER}(?!{_LETTER})"  # a letter alone: a variable
_MINUS_SIGN = "\u2212"  # never a hyphen
_LONG = "\u2014\u2015"  # dashes that are seldom a minus sign
_PARTS = re.compile(
    r"(?P<number>\d+(?:,\d{3})+(?!\d)(?:\.\d+)?"  # 1,450.5
    r"|\d+(?:[.,:]\d+)*"  # 1.5, and 1,5 of other lands
    r"|(?<!\d)\.\d+)"
    rf"|(?P<word>{_LETTER}+)"
    r"|(?P<pair><=|>=|->|(?<=\s)!=)"
    r"|(?P<rest>\.(?:\s?\.){2,})"  # 1 + 2 + ... + 9
    rf"|(?P<latex>\\(?:\\|(?:left|right)(?!{_LETTER})|[,;:!>()\[\]{{}}|])?)"
    rf"|(?P<dash>[{MINUS}{_LONG}])"
    r"|(?P<mark>[.,;:?]|!+|['\"]+)"
    r"|(?P<sign>_+|[^\s$])"
)
_QUOTED = re.compile(r"(?<![\w)\]}'\"])(['\"]+)(?=\S)(.{1,200}?)(?<=\S)\1(?![\w'\"])")

# Before Unicode's compatibility form, which makes x2 of x² and 11/2 of 1½
_RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻ⁿ]+")
_LOWERED = re.compile("[₀-₎]+")
_FRACTION = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞↉])")
_SAME = str.maketrans(
    dict.fromkeys("·×⋅∙∗✕", "*")
    | dict.fromkeys("÷∕⁄", "/")
    | dict.fromkeys("‘’‚‛′`´", "'")
    | dict.fromkeys("“”„‟″«»‹›「」『』", '"')
    | dict.fromkeys("⩽≦", "≤")
    | dict.fromkeys("⩾≧", "≥")
    | {"∣": "|", "∶": ":", "。": ".", "、": ",", "¡": None, "¿": None, "\ufe0e": None, "\ufe0f": None}
)
_PAIRS = {"<=": "≤", ">=": "≥", "->": "→", "!=": "≠"}
_NOT_A_SIGN = frozenset(
    rf"\{one}" for one in (*",;:!>()[]", "left", "right")
)  # of LaTeX: spaces, and where formulas begin

# What stands left and right of a mark, for which white space is one space
NEAR = 8  # characters
_SHORT = (
    rf"(?:[\d)\]}}|!%°']|(?<!{_LETTER}){_LETTER}{{1,2}})"  # ends what is no word: a number, a variable, a segment AB
)
_OPERAND = rf"\s?\$?\s?(?:[\d(\[{{|√∛π∞\\]|\.\d|{_LETTER}(?!{_LETTER}))"
_short_left = re.compile(rf"{_SHORT}\s?\$?\s?$").search
_short_right = re.compile(rf"{_OPERAND}|\s?\$?{_LETTER}{{2}}(?!{_LETTER})|\s?[-{_MINUS_SIGN}]{_OPERAND}").match
_unit = re.compile(rf"{_LETTER}{{2}}").match  # of 4-ft
_amount_right = re.compile(r"\s*[$(]?\.?\d").match
_operand_right = re.compile(_OPERAND).match
_operator_left = re.compile(r"(?:[=+*/^(\[{<>≤≥≠&|±]\s?|[)\]}])$").search
_word_left = re.compile(rf"{_LETTER}{{3}}$").search
_term_left = re.compile(rf"(?:[\d)\]}}]|{_ONE})\s?$").search
_fraction_left = re.compile(r"\.\d+\s?$").search  # of which there is no factorial
_glued_left = re.compile(rf"(?:[\d)\]}}]|{_ONE})$").search
_term_right = re.compile(rf"\s?(?:[-+{_MINUS_SIGN}(\[{{\\.]?\d|[(\[{{\\]|[-+{_MINUS_SIGN}]?{_ONE}|\.\.)").match
_unknown_left = re.compile(r"(?:^|[\s=+*/^(<>-])$").search
_unknown_right = re.compile(rf"\s?[-=<>≤≥+*/^\d{_MINUS_SIGN}]").match


def normalise(question: str) -> str:
    """The form in which two questions are one: no case, typography or spacing."""
    text = " ".join(question.casefold().split())
    text = _unquoted((text if text.isascii() else _compatible(text)).translate(_SAME))
    return " ".join(part for found in _PARTS.finditer(text) if (part := _part(found)))


def _compatible(text: str) -> str:
    """In Unicode's compatibility form, without characters that only format."""
    text = _FRACTION.sub(" ", _LOWERED.sub(r"_\g<0>", _RAISED.sub(r"^\g<0>", text)))
    text = unicodedata.normalize("NFKC", text.replace("´", "'")).casefold()
    return " ".join("".join(one for one in text if unicodedata.category(one) != "Cf").split())


def _unquoted(text: str) -> str:
    """Without the quotation marks around words, so that what is left of them are apostrophes, primes and units."""
    return " ".join(_QUOTED.sub(r" \2 ", text).split()) if "'" in text or '"' in text else text


def _part(found: re.Match[str]) -> str:
    """What is compared of a part of the text; '' for typography."""
    kind, part = found.lastgroup, found[0]
    if kind == "number":
        return canonical_number(part) or part.replace(",", " , ")
    if kind == "pair":
        return _PAIRS[part]
    if kind == "rest":
        return "..."
    if kind == "latex":
        return "" if part in _NOT_A_SIGN or (part == "\\" and _escapes(found)) else part
    if kind == "dash":
        return "-" if _is_minus(found) else ""
    if kind == "mark":
        return part if _calculates(found) else ""
    return "_" if part[0] == "_" else part


def _sides(found: re.Match[str]) -> tuple[str, str, int]:
    """What stands left of a part, the whole text, and where its right begins."""
    return found.string[max(0, found.start() - NEAR) : found.start()], found.string, found.end()


def _escapes(found: re.Match[str]) -> bool:
    """Whether a backslash begins a command, or a sign that LaTeX would read as something else."""
    after = found.string[found.end() : found.end() + 1]
    return after.isalpha() or (after != "" and after in "%$#&_")


def _is_minus(found: re.Match[str]) -> bool:
    """Whether a dash is a minus sign: between or before what calculates, not a hyphen, nor a dash between words."""
    left, text, end = _sides(found)
    if found[0] == _MINUS_SIGN or _amount_right(text, end):
        return True
    if _short_left(left) and _short_right(text, end):
        return not (left[-1].isdigit() and _unit(text, end))
    if found[0] in _LONG:
        return False
    return bool(_operator_left(left) or (_operand_right(text, end) and not _word_left(left)))


def _calculates(found: re.Match[str]) -> bool:
    """Whether a punctuation mark is a sign here."""
    left, text, end = _sides(found)
    mark, after = found[0][0], found.string[found.end() : found.end() + 1]
    if mark == "!":
        return bool((_term_left(left) and not _fraction_left(left)) or after.isdigit())
    if mark in "'\"":
        return bool(_glued_left(left)) and not after.isalpha()
    if mark == "?":
        return bool(_unknown_left(left) and _unknown_right(text, end))
    if mark == ":":
        return after != "" and (after != " " or left[-1:] == " ")  # a:b and 3 : 4, not 'so: how many'
    if mark == ".":
        return left[-1:].isdigit() and (after == "\\" or after.isalpha())  # 0.\overline{3}
    return bool(_term_left(left) and _term_right(text, end))


_PARTS_BEFORE = re.compile(
    r"\d+(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:[.,:]\d+)*|(?<!\d)\.\d+"
    rf"|[{MINUS}—](?=\s*[$(]?\.?\d)|[+*/^%=<>×÷·√²³]|[^\W\d_]+"
)
_SAME_BEFORE = str.maketrans(dict.fromkeys(MINUS + "—", "-") | {"·": "*", "×": "*", "÷": "/"})


def normalised_before(question: str) -> str:
    """The form of before 2026-11-29, which dropped signs that change a problem: says which finished work still holds."""
    text = unicodedata.normalize("NFKC", question).casefold()
    found = (one[0] for one in _PARTS_BEFORE.finditer(text))
    return " ".join(canonical_number(one) or one.translate(_SAME_BEFORE) for one in found)


def grouped_otherwise(questions: Iterable[str]) -> bool:
    """Whether other questions are one than before: what was made of the former grouping is then made anew."""
    forms = {(normalise(one), normalised_before(one)) for one in questions}
    return not len(forms) == len({now for now, _ in forms}) == len({before for _, before in forms})


def overlaps(train: Iterable[str], test: Iterable[str]) -> list[tuple[int, int]]:
    """Pairs (index in train, index in test) of equal questions, in the order of train."""
    tested: dict[str, int] = {}
    for index, question in enumerate(test):
        tested.setdefault(normalise(question), index)
    return [(i, tested[form]) for i, form in enumerate(map(normalise, train)) if form in tested]


def refuse_overlap(train: Iterable[str], test: Iterable[str], *, name: str) -> None:
    """Raise ValueError, with the count and the first question, when any training question is also a test question."""
    train = list(train)
    found = overlaps(train, test)
    if found:
        index, tested = found[0]
        raise ValueError(
            f"{len(found)} of {len(train)} questions of {name} are in the test set; the first is question {index + 1}, "
            f"test question {tested + 1}: {train[index].strip()[:80]!r}. Remove them, or choose another test set"
        )
