"""When two questions are one. Rows of a file: where nothing but typography differs. Training and test: in doubt too.

    >>> normalise("Janet's  16 eggs?")
    'janet s 16 eggs'
    >>> normalise("What is 5!?"), normalise("Is x ≤ (2 − y)?"), normalise("A 4-inch nail, for $1,450.")
    ('what is 5 !', 'is x ≤ ( 2 - y )', 'a 4 inch nail for 1450')
    >>> test = [Asked("What is 3-5?", "-2"), Asked("He has 12. Half?", "6")]
    >>> overlaps([Asked("What is 3 + 5?", "8"), Asked("He has 12! Half?", "6")], test)     # (index in train, index in test)
    [(1, 1)]
    >>> refuse_overlap([Asked("what is 3 - 5", "-2")], test, name="train.jsonl")
    Traceback (most recent call last):
    ValueError: 1 of 1 questions of train.jsonl are in the test set; the first is question 1, test question 1: ...

A normalised question consists of words, numbers and signs. Every sign stays (operators, relations, brackets, units, those
of LaTeX) but what is typography in a sentence: punctuation behind and between words, hyphens of words and long dashes,
quotation marks, apostrophes, commas between thousands, and the `$` of an amount or a formula. The same mark stays where it
calculates: "n - k" and "x-y", the factorials of 5! and n!, f'(x) and 5', a list's "1, 2", "0.5", "? + 3". Spellings of one
sign are one: <= and ≤, x² and x^2, − and -, × and *, full-width forms. In doubt a sign stays: two rows taken for one would
lose one of them, or be trained on with the other's solution.

Between training and test set the harm is a leak that is missed, so that doubt counts the other way: two questions are also
one where they have the same words, numbers and most common operators (+ * / = < > %, a minus before a number), whatever
other signs they have, unless their answers are different numbers.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import NamedTuple

from rft.text.numbers import MINUS, canonical_number

_LETTER = r"[^\W\d_]"
_ONE = rf"(?<!{_LETTER}){_LETTER}(?!{_LETTER})"  # a letter alone: a variable
_MINUS_SIGN = "\u2212"  # never a hyphen
_LONG = "\u2014\u2015"  # dashes that are seldom a minus sign, as -- is
_PARTS = re.compile(
    r"(?P<number>\d+(?:,\d{3})+(?!\d)(?:\.\d+)?"  # 1,450.5
    r"|\d+(?:[.,:]\d+)*"  # 1.5, and 1,5 of other lands
    r"|(?<!\d)\.\d+)"
    rf"|(?P<word>{_LETTER}+)"
    r"|(?P<pair><=|>=|->|(?<=\s)!=)"
    r"|(?P<rest>\.(?:\s?\.){2,})"  # 1 + 2 + ... + 9
    rf"|(?P<latex>\\(?:\\|(?:left|right)(?!{_LETTER})|[,;:!>()\[\]{{}}|])?)"
    rf"|(?P<dash>-{{2,}}(?!>)|[{MINUS}{_LONG}])"
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
_FUNCTION = rf"(?:(?:a|arc)?(?:sin|cos|tan|cot|sec|csc)h?|log|ln|lg|exp)(?!{_LETTER})"  # cos theta
_OPERAND = rf"\s?\$?\s?(?:[\d(\[{{|√∛π∞\\]|\.\d|{_LETTER}(?!{_LETTER}))"
_short_left = re.compile(rf"{_SHORT}\s?\$?\s?$").search
_short_right = re.compile(rf"{_OPERAND}|\s?\$?{_LETTER}{{2}}(?!{_LETTER})|\s?[-{_MINUS_SIGN}]{_OPERAND}").match
_unit = re.compile(rf"{_LETTER}{{2}}").match  # of 4-ft
_hyphen_left = re.compile(r"[^\W_]\$?$").search  # of T-shirt
_hyphen_right = re.compile(rf"\$?{_LETTER}").match
_in_words = re.compile(rf"{_LETTER}\s?$").search
_words_right = re.compile(rf"\s?(?!{_FUNCTION}){_LETTER}{{2,}}+[.,;:!]?\s{_LETTER}{{2}}").match  # of "a T - shirt for"
_function_right = re.compile(rf"\s?{_LETTER}++(?:\(|{_OPERAND})").match  # sqrt(16), log y
_amount_right = re.compile(r"\s*[$(]?\.?\d").match
_operand_right = re.compile(_OPERAND).match
_word_left = re.compile(rf"{_LETTER}{{3}}$").search
_term_left = re.compile(rf"(?:[\d)\]}}]|{_ONE})\s?$").search
_fraction_left = re.compile(r"\.\d+\s?$").search  # of which there is no factorial
_glued_left = re.compile(rf"(?:[\d)\]}}]|{_ONE})$").search
_term_right = re.compile(rf"\s?(?:[-+{_MINUS_SIGN}(\[{{\\.]?\d|[(\[{{\\]|[-+{_MINUS_SIGN}]?{_ONE}|\.\.)").match
_unknown_left = re.compile(r"(?:^|[\s=+*/^(<>-])$").search
_unknown_right = re.compile(rf"\s?[-=<>≤≥+*/^\d{_MINUS_SIGN}]").match


@functools.lru_cache(maxsize=1 << 15)  # planning asks for GSM8K's 8,792 in three checks
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
        return " ".join("-" * len(part)) if _is_minus(found) else ""
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
    """Whether a dash is, or may be, a minus sign: not the hyphen within a word, nor a long dash between words."""
    left, text, end = _sides(found)
    if found[0] == _MINUS_SIGN or _amount_right(text, end):
        return True
    function = bool(_function_right(text, end))
    if _short_left(left) and (function or _short_right(text, end)):
        return function or not (left[-1].isdigit() and _unit(text, end))
    if found[0] in _LONG or len(found[0]) > 1:
        return False
    if _hyphen_left(left) and _hyphen_right(text, end):
        return function or bool(_operand_right(text, end) and not _word_left(left))
    return not (_in_words(left) and _words_right(text, end))


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


class Asked(NamedTuple):
    """A question and its gold answer; None: not known."""

    question: str
    gold: str | None


class Tested:
    """The questions of a test set, or other held-out ones, in which training questions are looked for."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._asked = list(asked)
        self._places: dict[str, list[int]] = {}
        for place, one in enumerate(self._asked):
            for form in _forms(one.question):
                self._places.setdefault(form, []).append(place)

    def find(self, one: Asked) -> int | None:
        """The index of the first that a question is, or may be."""
        exact, loose = _forms(one.question)
        found = [place for place in self._places.get(loose, ()) if not _apart(one.gold, self._asked[place].gold)]
        return min([*self._places.get(exact, ())[:1], *found[:1]], default=None)


def _forms(question: str) -> tuple[str, str]:
    """The normalised question, and the loose form, which begins with a space: without most signs but common operators."""
    return normalise(question), " " + " ".join(_SEPARATORS.sub(" ", normalised_before(question)).split())


_SEPARATORS = re.compile(r"[\^:,]")  # x^2 and x², 2:3 and 2 : 3


def _apart(gold: str | None, other: str | None) -> bool:
    """Whether answers show that questions differ: two numbers do, while one text may be written in many ways."""
    first, second = (None if one is None else canonical_number(one) for one in (gold, other))
    return first is not None and second is not None and first != second


def overlaps(train: Iterable[Asked], test: Iterable[Asked]) -> list[tuple[int, int]]:
    """Pairs (index in train, index in test) of questions that are, or may be, one, in the order of train."""
    tested = Tested(test)
    return [(i, place) for i, one in enumerate(train) if (place := tested.find(one)) is not None]


def refuse_overlap(train: Collection[Asked], test: Collection[Asked], *, name: str) -> None:
    """Raise ValueError, with the count and the first pair, when any training question is, or may be, a test question."""
    train, test = list(train), list(test)
    found = overlaps(train, test)
    if found:
        index, tested = found[0]
        first, second = train[index].question, test[tested].question
        also = "" if normalise(first) == normalise(second) else f", but for signs {_shown(second)}"
        raise ValueError(
            f"{len(found)} of {len(train)} questions of {name} are in the test set; the first is question {index + 1}, "
            f"test question {tested + 1}: {_shown(first)}{also}. Remove them, or choose another test set"
        )


def _shown(question: str) -> str:
    return repr(question.strip()[:80])
