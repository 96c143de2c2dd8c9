"""Grading rules: what counts as the answer of a solution, and when two answers are equal.

    >>> extract("gsm8k", "3*17=<<3*17=51>>51\\n#### 1,451")
    '1451'
    >>> equal("answer_line", "10.40", "10.4")
    True
    >>> grade("gsm8k", "3*17=<<3*17=51>>51\\n#### 51", gold="51", truncated=False)
    <Outcome.CORRECT: 'correct'>
    >>> gold_fault("gsm8k", "1e3")
    "rule gsm8k reads '1' from the gold answer '1e3': write it as 1000, or choose another rule"

A rule that comes from another project keeps that project's definition, both of the answer that it finds in a text and of
how it reads a gold answer. The two rules of this project, `last_number` and `answer_line`, compare numbers:

    >>> texts = ("A: 7", "#### $694", "so 10.\\n#### 10.")
    >>> for rule in (name for name, rule in RULES.items() if rule.numbers):
    ...     print(f"{rule:<17}", *(f"{extract(rule, text)!s:<5}" for text in texts), equal(rule, "10.40", "10.4"))
    gsm8k             None  None  10.   False
    strict_match      None  None  10    False
    flexible_extract  7     694   10    False
    last_number       7     694   10    True
    answer_line       7     694   10    True
    paper             None  None  10.   True
    paper_select      None  None  10.   True

Rules on other answers than numbers (rft.text.other_answers) read whatever they can compare: fractions, intervals, letters.

The gold answer given to a rule is the text of the data file. The rule compares an answer with it as its own project would:
'2.50' stays '2.50', and lm-evaluation-harness takes the '$' off '$18.00'. Where the project would find no number ('+5') the
plain number is taken. Where it would read another number ('1e3' is 1 to all rules but our two), the gold answer is refused
under that rule.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache

from rft.records import Outcome
from rft.registry import Registry, suggestion
from rft.text.numbers import Found, canonical_number, first_number, last_number
from rft.text.other_answers import OTHER_RULES
from rft.text.rows import Row, gold_field, text_field
from rft.text.rule import Rule

_MARKED = re.compile(r"#### (\-?[0-9\.\,]+)")  # openai/grade-school-math, lm-evaluation-harness and OFA-Sys/gsm8k-ScRel
_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")  # lm-evaluation-harness, task gsm8k version 3.0
_FINAL_DOT = re.compile(r"\.$")


def _first_marked(text: str) -> Found | None:
    match = _MARKED.search(text)
    return Found(match[1].replace(",", ""), match.end() < len(text)) if match else None


def _harness_normalise(text: str) -> str:
    # that task's regexes_to_ignore, removed from the answer and the gold answer alike, once each and in this order:
    # ",", "\\$", "(?s).*#### ", "\\.$"; the third is done by hand, since the expression backtracks quadratically
    bare = text.replace(",", "").replace("$", "").rpartition("#### ")[2]
    return _FINAL_DOT.sub("", bare).lower()


def _strict_match(text: str) -> Found | None:
    match = _MARKED.search(text)
    return Found(_harness_normalise(match[1]), match.end() < len(text)) if match else None


def _flexible_extract(text: str) -> Found | None:
    last = None
    for match in _FLEXIBLE.finditer(text):
        last = match
    return Found(_harness_normalise(last[0]), last.end() < len(text)) if last else None


def _answer_line(text: str) -> Found | None:
    """The answer on the last line that gives one: the number behind the line's last '=', else its first number.

    It is whole once the line has ended: 'A: 3 + 4' may go on with ' = 7'.
    """
    lines = text.split("\n")
    for index in reversed(range(len(lines))):
        line = lines[index]
        indent = len(line) - len(line.lstrip())
        if "####" in line:
            start = line.rindex("####") + len("####")
        elif line.startswith("A:", indent):
            start = indent + len("A:")
        else:
            continue
        result = first_number(line, start=max(start, line.rfind("=") + 1)) or first_number(line, start=start)
        return Found(result.answer, index + 1 < len(lines)) if result else None
    return None


def _paper(text: str) -> Found | None:
    before, ended, _ = text.partition("\0")  # as the script does; a NUL after the answer shows that it is whole
    found = _first_marked(before)
    if found is None or canonical_number(found.answer) is None:
        return None
    return Found(found.answer, True) if ended else found


def _same_text(a: str, b: str) -> bool:
    return a.replace(",", "") == b.replace(",", "")


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


def _as_number(gold: str) -> str:
    return canonical_number(gold) or gold


RULES: Registry[Rule] = Registry(
    "data.rule",
    given={
        rule.name: rule
        for rule in (
            Rule(
                "gsm8k", _first_marked, _same_text, "openai/grade-school-math dataset.py: first '#### N', equal as text"
            ),
            Rule("strict_match", _strict_match, _same_text, "lm-evaluation-harness gsm8k.yaml 3.0", _harness_normalise),
            Rule("flexible_extract", _flexible_extract, _same_text, "the same: last number", _harness_normalise),
            Rule("last_number", last_number, _same_number, "the last number of the text, equal as numbers", _as_number),
            Rule(
                "answer_line", _answer_line, _same_number, "the last '####' or 'A:' line, equal as numbers", _as_number
            ),
            Rule("paper", _paper, _within_1e4, "OFA-Sys/gsm8k-ScRel eval.py: first '#### N', |a - b| < 1e-4"),
            Rule(
                "paper_select", _paper, _same_float, "OFA-Sys/gsm8k-ScRel collect_rejection_sampling.py: float equality"
            ),
            *OTHER_RULES,
        )
    },
)


def rule_named(name: str) -> Rule:
    """The rule of that name. Raises ValueError with the known names and the nearest one."""
    try:
        return RULES[name]
    except ValueError:
        allowed = f"{', '.join(RULES)}{suggestion(name.replace('-', '_'), RULES)}"
        raise ValueError(f"unknown grading rule {name!r}; allowed are {allowed}") from None


def grading_marks(rule: str) -> tuple[str, ...]:
    """What the identity of a stage that grades holds of a rule beside its name, so that no grade of an earlier definition is
    taken for one of today's: the digest of the source of a plug-in's rule, and the version of one of the package's that has
    changed. Raises ValueError for an unknown rule.
    """
    version = rule_named(rule).version
    return (*RULES.foreign(rule), *((f"version {version}",) if version > 1 else ()))


def extract(rule: str, text: str) -> str | None:
    """The answer that `rule` finds in `text`, None when it finds none. Raises ValueError for an unknown rule."""
    found = rule_named(rule).find(text)
    return None if found is None else found.answer


def equal(rule: str, answer: str, gold: str) -> bool:
    """Whether an answer, as `extract` gives it, counts as the gold answer; `gold` as its file writes it ('2.50', '1,450').

    Raises ValueError for an unknown rule, and for a gold answer that the rule misreads (see `gold_fault`).
    """
    return rule_named(rule).equal(answer, _gold_form(rule, gold))


def gold_of(rule: str, row: Row, *, where: str) -> str:
    """The gold answer of a row as it is written. Raises ValueError when it is missing, or no number where one is needed."""
    if rule_named(rule).numbers:
        return gold_field(row, "gold", where=where)
    return text_field(row, "gold", where=where).strip()


def same_gold(rule: str, one: str, other: str) -> bool:
    """Whether two gold answers are equal under the rule (gsm8k compares text: '7' and '7.0' are not), and one number.

    The latter of rules on numbers; under others one must equal the other in either order. Raises as `equal` does.
    """
    if not rule_named(rule).numbers:
        return _alike(rule_named(rule), _gold_form(rule, one), _gold_form(rule, other))
    return canonical_number(one) == canonical_number(other) and equal(rule, _gold_form(rule, one), other)


def gold_fault(rule: str, gold: str) -> str:
    """Why a rule cannot grade against a gold answer: it reads another number in it; '' when it reads the same one.

    Raises ValueError for an unknown rule.
    """
    named, number = rule_named(rule), canonical_number(gold)
    found = _found_in_gold(named, gold)
    if not named.numbers:
        return "" if found else f"rule {rule} finds no answer in the gold answer {gold[:40]!r}: {named.expects}"
    if found is None or canonical_number(found.answer) == number:
        return ""
    ways_out = f"write it as {number}" if number else "expected one number"
    return f"rule {rule} reads {found.answer[:40]!r} from the gold answer {gold[:40]!r}: {ways_out}, or choose another rule"


@lru_cache(maxsize=1 << 16)
def _gold_form(rule: str, gold: str) -> str:
    """A gold answer as the rule's project compares it; see the module."""
    if fault := gold_fault(rule, gold):
        raise ValueError(fault)
    found = _found_in_gold(rule_named(rule), gold)
    return found.answer if found is not None else canonical_number(gold) or gold


def _found_in_gold(rule: Rule, gold: str) -> Found | None:
    written = rule.written(gold.strip())
    return rule.find(f"#### {written}" if rule.numbers else written)


def vote_classes(rule: str, answers: Sequence[str | None]) -> list[int | None]:
    """For each answer the number of the answer it votes for, by first appearance; None where it votes for none.

    Rules on numbers: equal numbers are one answer, and what is no number votes for nothing. Other rules: answers are one if
    the rule finds one equal to the other in either order, or if a chain of such answers joins them. A rule's relation need be
    neither symmetric nor transitive (math_verify's is not); of this closure the classes do not depend on the order of draws.

    >>> vote_classes("gsm8k", ["7", "7.0", None, "x", "8"])
    [0, 0, None, None, 1]
    """
    named = rule_named(rule)
    if named.numbers:
        keys = [None if answer is None else canonical_number(answer) for answer in answers]
    else:
        keys = _joined(named, answers)
    numbers: dict[str, int] = {}
    return [None if key is None else numbers.setdefault(key, len(numbers)) for key in keys]


def _joined(rule: Rule, answers: Sequence[str | None]) -> list[str | None]:
    """For each answer one that stands for its class."""
    stands = {answer: answer for answer in dict.fromkeys(answers) if answer is not None}

    def root(answer: str) -> str:
        while stands[answer] != answer:
            answer = stands[answer]
        return answer

    for one, other in itertools.combinations(stands, 2):
        if root(one) != root(other) and _alike(rule, one, other):
            stands[root(other)] = root(one)
    return [None if answer is None else root(answer) for answer in answers]


def _alike(rule: Rule, one: str, other: str) -> bool:
    return rule.equal(one, other) or rule.equal(other, one)


def grade(rule: str, text: str, gold: str, truncated: bool) -> Outcome:
    """Outcome of one solution; `gold` as its file writes it. Raises ValueError as `equal` does.

    A truncated solution whose answer stands complete in the text is graded like any other, as the harnesses do. It is
    TRUNCATED when it has no answer yet, or when the text breaks off inside what may be a longer answer ('#### 14|5').
    """
    found = rule_named(rule).find(text)
    if truncated and (found is None or not found.is_whole):
        return Outcome.TRUNCATED
    if found is None:
        return Outcome.NO_ANSWER
    return Outcome.CORRECT if equal(rule, found.answer, gold) else Outcome.WRONG
