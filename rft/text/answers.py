"""Grading rules: what counts as the answer of a solution, and when two answers are equal.

Each rule keeps the definition of the place it comes from, so the same text can be graded as others grade it.

    extract("gsm8k", "3*17=<<3*17=51>>51\\n#### 1,451")              -> "1451"
    equal("answer_line", "10.40", "10.4")                            -> True
    grade("gsm8k", text, gold="51", truncated=False)                 -> Outcome.CORRECT

    rule                found in "A: 7"   found in "#### $694"   found in "so 10.\\n#### 10."   10.40 equals 10.4
    gsm8k               None              None                   "10."                          no (text)
    strict_match        None              None                   "10"                           no (text)
    flexible_extract    "7"               "694"                  "10"                           no (text)
    last_number         "7"               "694"                  "10"                           yes
    answer_line         "7"               "694"                  "10"                           yes
    paper, paper_select None              None                   "10."                          yes
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rft.records import Outcome

_MARKED = re.compile(r"#### (\-?[0-9\.\,]+)")  # openai/grade-school-math, lm-evaluation-harness and OFA-Sys/gsm8k-ScRel
_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")  # lm-evaluation-harness, task gsm8k version 3.0
_FINAL_DOT = re.compile(r"\.$")
_NUMBER = re.compile(r"(?:(?<![\w)])-)?\$?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)")
_PLAIN = re.compile(r"(?:\$?([-+]?)|([-+])\$)([0-9,]*)(?:\.([0-9]*))?")


def canonical_number(text: str) -> str | None:
    """The number a string writes, in the one spelling used for votes: `"$1,450.50"` -> `"1450.5"`, `"-0.0"` -> `"0"`.

    Works on digits, not floats, so numbers of any length compare exactly. None when the string is not one number.
    """
    return _cached_number(text) if len(text) <= 40 else _number(text)  # long texts are not worth keeping


def _number(text: str) -> str | None:
    match = _PLAIN.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction = match[3].replace(",", ""), match[4] or ""
    if not whole and not fraction:
        return None
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    digits = f"{whole}.{fraction}" if fraction else whole
    return f"-{digits}" if "-" in (match[1], match[2]) and digits != "0" else digits


_cached_number = lru_cache(maxsize=1 << 16)(_number)


def _first_marked(text: str) -> str | None:
    match = _MARKED.search(text)
    return match[1].replace(",", "") if match else None


def _harness_normalise(text: str) -> str:
    # the same task's regexes_to_ignore: ",", "\\$", "(?s).*#### ", "\\.$"; the third by hand, as it backtracks quadratically
    bare = text.replace(",", "").replace("$", "").rpartition("#### ")[2]
    return _FINAL_DOT.sub("", bare).lower()


def _strict_match(text: str) -> str | None:
    match = _MARKED.search(text)
    return _harness_normalise(match[1]) if match else None


def _flexible_extract(text: str) -> str | None:
    found = None
    for match in _FLEXIBLE.finditer(text):
        found = match
    return _harness_normalise(found[0]) if found else None


def _last_number(text: str) -> str | None:
    found = None
    for match in _NUMBER.finditer(text):
        found = match
    return canonical_number(found[0]) if found else None


def _answer_line(text: str) -> str | None:
    for line in reversed(text.split("\n")):
        if "####" in line:
            tail = line.rsplit("####", 1)[1]
        elif line.lstrip().startswith("A:"):
            tail = line.lstrip()[2:]
        else:
            continue
        match = _NUMBER.search(tail)
        return canonical_number(match[0]) if match else None
    return None


def _paper(text: str) -> str | None:
    found = _first_marked(text)
    return found if found is not None and canonical_number(found) is not None else None


def _same_text(a: str, b: str) -> bool:
    return a.replace(",", "") == b.replace(",", "")


def _same_harness_text(a: str, b: str) -> bool:
    return _harness_normalise(a) == _harness_normalise(b)


def _same_number(a: str, b: str) -> bool:
    number = canonical_number(a)
    return number is not None and number == canonical_number(b)


def _distance(a: str, b: str) -> float:
    first, second = canonical_number(a), canonical_number(b)
    return abs(float(first) - float(second)) if first and second else float("inf")


def _within_1e4(a: str, b: str) -> bool:
    return _distance(a, b) < 1e-4


def _same_float(a: str, b: str) -> bool:
    return _distance(a, b) == 0.0


@dataclass(frozen=True)
class Rule:
    """One named grading rule."""

    name: str
    extract: Callable[[str], str | None]  # the answer as the rule compares it; None: no answer
    equal: Callable[[str, str], bool]  # answer, gold
    source: str  # where the definition comes from


RULES = {
    rule.name: rule
    for rule in (
        Rule("gsm8k", _first_marked, _same_text, "openai/grade-school-math dataset.py: first '#### N', equal as text"),
        Rule("strict_match", _strict_match, _same_harness_text, "lm-evaluation-harness gsm8k.yaml version 3.0"),
        Rule("flexible_extract", _flexible_extract, _same_harness_text, "lm-evaluation-harness gsm8k.yaml version 3.0"),
        Rule("last_number", _last_number, _same_number, "the last number of the text, equal as numbers"),
        Rule("answer_line", _answer_line, _same_number, "the last '####' or 'A:' line, equal as numbers"),
        Rule("paper", _paper, _within_1e4, "OFA-Sys/gsm8k-ScRel eval.py: first '#### N', |a - b| < 1e-4"),
        Rule("paper_select", _paper, _same_float, "OFA-Sys/gsm8k-ScRel collect_rejection_sampling.py: float equality"),
    )
}


def rule_named(name: str) -> Rule:
    """The rule of that name. Raises ValueError with the known names and the nearest one."""
    if name in RULES:
        return RULES[name]
    near = difflib.get_close_matches(name.replace("-", "_"), RULES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"unknown grading rule {name!r}; allowed are {', '.join(RULES)}{hint}")


def extract(rule: str, text: str) -> str | None:
    """The answer that `rule` finds in `text`, None when it finds none. Raises ValueError for an unknown rule."""
    return rule_named(rule).extract(text)


def equal(rule: str, a: str, b: str) -> bool:
    """Whether answer `a` counts as gold `b` under `rule`. Raises ValueError for an unknown rule."""
    return rule_named(rule).equal(a, b)


def vote_number(answer: str | None) -> str | None:
    """An extracted answer as the number it votes for; None (no vote) when there is none or it is not a number."""
    return None if answer is None else canonical_number(answer)


def grade(rule: str, text: str, gold: str, truncated: bool) -> Outcome:
    """Outcome of one solution. Raises ValueError for an unknown rule.

    A truncated solution whose answer stands complete in the text is graded like any other, as the harnesses do. It is
    TRUNCATED when it has no answer yet, or when the text breaks off inside what may be a longer number ('#### 14|5').
    """
    named = rule_named(rule)
    answer = named.extract(text)
    if truncated and (answer is None or text[-1:] in "0123456789.,$-"):
        return Outcome.TRUNCATED
    if answer is None:
        return Outcome.NO_ANSWER
    return Outcome.CORRECT if named.equal(answer, gold) else Outcome.WRONG
