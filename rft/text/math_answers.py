r"""The rule `math_verify`: answers as mathematics, read and compared by the math-verify package (`pip install '.[math]'`).

    find(r"so $x = \boxed{\frac{1}{2}}$").answer          # '\\frac{1}{2}'
    same("0.5", r"\frac{1}{2}")                            # True: answer, gold

    >>> boxed_gold("$1/2$")                               # how a gold answer is given to it
    '\\boxed{1/2}\n'

The answer of a text is what stands in its last `\boxed{...}` or behind its last `####`, whichever comes later, else what
math-verify finds. Both answers are given to it in a box; the gold one comes first, as its `verify` is not symmetric
(documented: assignments are simplified and equations turned into intervals on one side).

It bounds its time by signals, in wall-clock seconds: that works in a main thread alone, and a busy machine would grade
otherwise than an idle one. So it runs in a process of its own, without its timeouts, and each call is bounded there by
seconds of processor time. What is not compared within them is not equal, as in math-verify itself; what is not read within
them is no answer. It is not followed where it finds equal what is written as different things (rft.text.math_apart), nor
where its six decimals leave less than three figures of a small number (rft.text.math_process).
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache

from rft.text.math_apart import written_apart
from rft.text.math_process import ask
from rft.text.numbers import Found
from rft.text.rowmap import span_of_boxed
from rft.text.rule import Rule

_PERCENT = re.compile(r"\s*\\?%")
MAX_LETTERS = 2_000  # of an answer: longer ones are none
MAX_TAIL = 4_000  # letters at the end of a text in which math-verify looks for an answer that nothing marks


def find(text: str) -> Found | None:
    """The answer of a text as LaTeX; None without one that can be read."""
    place = _place(text)
    stated = _unmarked(text[-MAX_TAIL:]) if place is None else text[place[0] : place[1]]
    answer = "" if stated is None else _bare(stated)
    if not answer or len(answer) > MAX_LETTERS or not _is_readable(answer):
        return None
    return Found(answer, place is not None and place[1] < len(text))


def _bare(answer: str) -> str:
    """Without the full stop of its sentence and without percent signs: in a box, in which answers are compared, math-verify
    reads `7.` and `50\\%` as no numbers. Outside of one `$50\\%$` is 50 to it, as it is in MATH's own comparison.
    """
    return _PERCENT.sub("", answer).strip().rstrip(".").rstrip()


def _place(text: str) -> tuple[int, int] | None:
    box, line = span_of_boxed(text), text.rfind("####")
    if box is not None and box[0] > line:
        return box
    if line < 0:
        return None
    end = text.find("\n", line)
    return line + len("####"), len(text) if end < 0 else end


def same(answer: str, gold: str) -> bool:
    """Whether an answer is the gold one to math-verify."""
    return answer == gold or (not written_apart(answer, gold) and _is_same(answer, gold))


@lru_cache(maxsize=1 << 16)
def _is_same(answer: str, gold: str) -> bool:
    return ask("same", gold, answer) is True


@lru_cache(maxsize=1 << 16)
def _is_readable(answer: str) -> bool:
    return ask("reads", answer) is True


@lru_cache(maxsize=1 << 14)
def _unmarked(text: str) -> str | None:
    found = ask("finds", text)
    return found if isinstance(found, str) else None


def boxed_gold(gold: str) -> str:
    """A gold answer of a data file as a text that states it; `$...$` around it is taken off."""
    bare = gold.strip()
    bare = (
        bare[1:-1] if len(bare) > 1 and bare.startswith("$") and bare.endswith("$") and bare.count("$") == 2 else bare
    )
    return bare if span_of_boxed(bare) is not None else f"\\boxed{{{bare}}}\n"


def missing() -> str:
    """Why the rule cannot be used here; '' where it can."""
    if importlib.util.find_spec("math_verify") is None:
        return "rule=math_verify needs the math-verify package, which is not installed: pip install '.[math]'"
    return ""


MATH_VERIFY = Rule(
    "math_verify", find, same, "huggingface/Math-Verify verify(gold, answer)", boxed_gold, False,
    r"write mathematics, such as 7, \frac{1}{2}, (1, 2] or x^2 + 1", needs=missing, version=2,
)  # fmt: skip
