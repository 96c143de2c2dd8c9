"""Grading rules: what counts as the answer of a solution, and when two answers are equal.

Rules of other projects keep those projects' definitions for the text, and compare with the gold answer as they would: as it
is written, which is why a gold answer is passed on as its file has it. This project's own rules compare numbers.

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

Numbers: a comma separates thousands and stands before three digits, else the string is no number ('0,5'); minus signs and
dashes of Unicode are minus signs; scientific notation is read (2.0107e-06), fractions are not ('1/2' is no number).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rft.records import Outcome
from rft.registry import Registry

_MARKED = re.compile(r"#### (\-?[0-9\.\,]+)")  # openai/grade-school-math, lm-evaluation-harness and OFA-Sys/gsm8k-ScRel
_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")  # lm-evaluation-harness, task gsm8k version 3.0
_FINAL_DOT = re.compile(r"\.$")
MINUS = "-\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"  # hyphens, figure and en dash, minus and its small and full-width forms
_SIGN = f"[{re.escape('+' + MINUS)}]"
_NUMBER = re.compile(r"\$?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)(?:[eE][-+]?[0-9]{1,3}(?![\w.]))?")
_PLAIN = re.compile(
    rf"(?:(?P<sign>{_SIGN})\s*\$?|\$(?P<inner>{_SIGN}?))?(?P<whole>[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]*)"
    r"(?:\.(?P<fraction>[0-9]*))?(?:[eE](?P<exponent>[-+]?[0-9]{1,3}))?"
)


def canonical_number(text: str) -> str | None:
    """The number a string writes, in the one spelling used for votes: `"$1,450.50"` -> `"1450.5"`, `"-0.0"` -> `"0"`.

    Works on digits, not floats, so numbers of any length compare exactly. None when the string is not one number.
    """
    return _cached_number(text) if len(text) <= 40 else _number(text)  # long texts are not worth keeping


def _number(text: str) -> str | None:
    match = _PLAIN.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction = match["whole"].replace(",", ""), match["fraction"] or ""
    if not whole and not fraction:
        return None
    whole, fraction = _shifted(whole, fraction, int(match["exponent"] or 0))
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    digits = f"{whole}.{fraction}" if fraction else whole
    sign = match["sign"] or match["inner"] or "+"
    return f"-{digits}" if sign in MINUS and digits != "0" else digits


def _shifted(whole: str, fraction: str, exponent: int) -> tuple[str, str]:
    """Digits before and after the point of a number times ten to the exponent."""
    if exponent > 0:
        fraction = fraction.ljust(exponent, "0")
        return whole + fraction[:exponent], fraction[exponent:]
    whole = whole.rjust(-exponent, "0")
    at = len(whole) + exponent
    return whole[:at], whole[at:] + fraction


MAX_GAP = 32  # characters between a minus sign and its number that are looked at

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
    return _number_at(text, found) if found else None


def _number_at(text: str, match: re.Match[str]) -> str | None:
    """The number found at a place of a text, with its sign; None when its commas do not separate thousands."""
    number = canonical_number(match[0].lstrip("$").rstrip(","))
    return canonical_number(f"-{number}") if number is not None and _is_negative(text, match.start()) else number


def _is_negative(text: str, start: int) -> bool:
    """Whether a minus sign stands before the place, and not one between two operands: '10-4', '10 - 4'."""
    before = text[max(0, start - MAX_GAP) : start]
    tight = before.rstrip("$")
    bare = tight.rstrip()
    if bare[-1:] not in MINUS or not bare:
        return False
    left = bare[:-1].rstrip("$")
    if bare == tight:  # '-5' after a space is a number, whatever stands before
        return re.search(r"[\w)]$", left) is None
    return re.search(r"[\w)%.,]$", left.rstrip()) is None


def _answer_line(text: str) -> str | None:
    for line in reversed(text.split("\n")):
        if "####" in line:
            tail = line.rsplit("####", 1)[1]
        elif line.lstrip().startswith("A:"):
            tail = line.lstrip()[2:]
        else:
            continue
        match = _NUMBER.search(tail)
        return _number_at(tail, match) if match else None
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


RULES: Registry[Rule] = Registry(
    "data.rule",
    given={
        rule.name: rule
        for rule in (
            Rule(
                "gsm8k", _first_marked, _same_text, "openai/grade-school-math dataset.py: first '#### N', equal as text"
            ),
            Rule("strict_match", _strict_match, _same_harness_text, "lm-evaluation-harness gsm8k.yaml version 3.0"),
            Rule(
                "flexible_extract",
                _flexible_extract,
                _same_harness_text,
                "lm-evaluation-harness gsm8k.yaml version 3.0",
            ),
            Rule("last_number", _last_number, _same_number, "the last number of the text, equal as numbers"),
            Rule("answer_line", _answer_line, _same_number, "the last '####' or 'A:' line, equal as numbers"),
            Rule("paper", _paper, _within_1e4, "OFA-Sys/gsm8k-ScRel eval.py: first '#### N', |a - b| < 1e-4"),
            Rule(
                "paper_select", _paper, _same_float, "OFA-Sys/gsm8k-ScRel collect_rejection_sampling.py: float equality"
            ),
        )
    },
)


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


def equal(rule: str, answer: str, gold: str) -> bool:
    """Whether an extracted answer counts as the gold answer under `rule`; `gold` as its file writes it ('2.50', '1,450').

    Raises ValueError for an unknown rule.
    """
    return rule_named(rule).equal(answer, _gold_form(rule, gold))


@lru_cache(maxsize=1 << 16)
def _gold_form(rule: str, gold: str) -> str:
    """A gold answer as the rule's project takes it from its own solutions; where it would find none, as a number."""
    found = rule_named(rule).extract(f"#### {gold.strip()}")
    return found if found is not None else canonical_number(gold) or gold


def vote_number(answer: str | None) -> str | None:
    """An extracted answer as the number it votes for; None (no vote) when there is none or it is not a number."""
    return None if answer is None else canonical_number(answer)


def grade(rule: str, text: str, gold: str, truncated: bool) -> Outcome:
    """Outcome of one solution; `gold` as its file writes it. Raises ValueError for an unknown rule.

    A truncated solution whose answer stands complete in the text is graded like any other, as the harnesses do. It is
    TRUNCATED when it has no answer yet, or when the text breaks off inside what may be a longer number ('#### 14|5').
    """
    named = rule_named(rule)
    answer = named.extract(text)
    if truncated and (answer is None or text[-1:] in "0123456789.,$-"):
        return Outcome.TRUNCATED
    if answer is None:
        return Outcome.NO_ANSWER
    return Outcome.CORRECT if equal(rule, answer, gold) else Outcome.WRONG
