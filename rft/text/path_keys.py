"""What tells the solutions of a question apart: their equations, or where there are none their text.

>>> path_equations("3*17=<<3*17=51>>51\\n#### 51", kind="annotated")
['3*17=51']
>>> path_equations("It is  B.", kind="text") == path_equations("it is b.", kind="text")      # one key of the whole text
True
"""

from __future__ import annotations

import hashlib

from rft.records import Problem
from rft.text import equations, plain_equations

ANNOTATED, TEXT = "annotated", "text"
EQUATIONS = (ANNOTATED, "plain", TEXT)  # how the equations of a solution are read


def path_equations(text: str, *, kind: str) -> list[str]:
    """The equations of a text, or with `kind` text one key of the whole. Raises ValueError for an unknown kind."""
    if kind == ANNOTATED:
        return equations.equation_list(text)
    if kind == "plain":
        return plain_equations.extract(text)
    if kind == TEXT:
        return [_text_key(text)]
    raise ValueError(f"unknown kind of equations {kind!r}; allowed are {', '.join(EQUATIONS)}")


def human_keys(problem: Problem, *, kind: str) -> set[str]:
    """The keys of a problem's human paths. Raises ValueError for an unknown kind."""
    return {"|".join(path_equations(text, kind=kind)) for text in problem.solutions if text}


def _text_key(text: str) -> str:
    """A key of a solution without equations: equal where solutions are but for spaces and case."""
    bare = "".join(text.casefold().split())
    return "text:" + hashlib.blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
