"""Reading a question back: the computation graph and the numbers behind a text that keeps to the world's wording.

    >>> told = read_question("Ann bought 3 bags of 17 nails. She sold 5 nails. How many nails now?", limit=100)
    >>> told
    Told(graph=('groups', 'lose'), numbers=(3, 17, 5), limit=100)
    >>> told.solved_by("makes <<3*17=51>>51\\nleft <<51-5=46>>46\\n#### 46")
    True
    >>> told.split(seed=0)
    <WorldSplit.TEST: 'test'>
    >>> print(read_question("Why did Ann buy nails?", limit=100))
    None

It serves to judge questions that a model wrote. A text that mixes scenarios or names, or computes something that the world
does not (results outside 1..limit), is no problem of the world: None. Where two readings are possible the first is taken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rft.records import Problem
from rft.text.world.checker import Verdict, verdict
from rft.text.world.expressions import Form, canonical_route, canonical_text
from rft.text.world.graphs import WorldSplit, split_of
from rft.text.world.kinds import KINDS, build
from rft.text.world.scenarios import DISTRACTORS, FRACTIONS, NAMES, SCENARIOS, Scenario, question_of

MAX_TEXT = 1000  # characters read
MAX_CLAUSES = 8
_WHOLE = r"([0-9]{1,4})"
_ASKED = "How many "


@dataclass(frozen=True)
class Told:
    """What a question tells."""

    graph: tuple[str, ...]
    numbers: tuple[int, ...]
    limit: int  # largest whole number of its world

    @property
    def form(self) -> Form:
        """The computation."""
        return build(self.graph, self.numbers)

    def solved_by(self, path: str) -> bool:
        """Whether a path is a valid solution (see `checker`)."""
        spec = {"graph": list(self.graph), "numbers": list(self.numbers), "limit": self.limit}
        return verdict(Problem("told", "", "", "", spec), path) is Verdict.VALID

    def split(self, *, seed: int) -> WorldSplit:
        """The split that the problem belongs to, whatever its wording, in the world of that seed."""
        return split_of(canonical_text(self.form), seed=seed)


def read_question(question: str, *, limit: int) -> Told | None:
    """The problem that a text tells in the world's wording, or None."""
    text = " ".join(question[:MAX_TEXT].split())
    words = set(re.findall(r"[A-Za-z]+", text))
    for scenario, cast in _casts(words):
        for graph, numbers in _clauses(text, scenario, cast, ()):
            if _computable(graph, numbers, limit):
                return Told(graph, numbers, limit)
    return None


Cast = tuple[str, str, str, str, str]  # hero, pronoun, other, object, container


def _casts(words: set[str]) -> Iterator[tuple[Scenario, Cast]]:
    """Every scenario with the people and things that occur; what does not occur is left empty and matches nothing."""
    named = [pair for pair in NAMES if pair[0] in words]
    for (hero, pronoun), scenario in itertools.product(named, SCENARIOS):
        others = [name for name, own in named if own != pronoun] or ["-"]
        things = [thing for thing in scenario.objects if thing in words] or ["-"]
        containers = [one for one in scenario.containers if one in words] or ["-"]
        for other, thing, container in itertools.product(others, things, containers):
            yield scenario, (hero, pronoun, other, thing, container)


def _clauses(
    text: str, scenario: Scenario, cast: Cast, graph: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """All ways to read the rest of a question after the clauses of `graph`."""
    if graph and _pattern(question_of(scenario, graph[-1]), cast).fullmatch(text):
        yield graph, ()
    if len(graph) >= MAX_CLAUSES or text.startswith(_ASKED):
        return
    for name, phrase in [*scenario.phrases.items(), *(("", phrase) for phrase in DISTRACTORS)]:
        if name and (KINDS[name].role == "start") == bool(graph):
            continue
        match = _pattern(phrase + " ", cast).match(text)
        if match is None or (not name and not graph):
            continue
        own = _numbers(match) if name else ()
        rest = text[match.end() :]
        for following, numbers in _clauses(rest, scenario, cast, (*graph, name) if name else graph):
            yield following, (*own, *numbers)


@lru_cache(maxsize=8192)
def _pattern(phrase: str, cast: Cast) -> re.Pattern[str]:
    filled = dict(zip("APBog", map(re.escape, cast), strict=True))
    told = {"times": rf"(?:(twice)|{_WHOLE} times)", "fraction": f"({'|'.join(FRACTIONS.values())})"}
    escaped = re.sub(r"\\([{}])", r"\1", re.escape(phrase))
    return re.compile(re.sub(r"\{(\w+)\}", lambda m: {**filled, **told}.get(m[1], _WHOLE), escaped))


def _numbers(match: re.Match[str]) -> tuple[int, ...]:
    """The numbers of a clause; all phrases tell them in order."""
    named = {word: number for number, word in FRACTIONS.items()} | {"twice": 2}
    return tuple(named[group] if group in named else int(group) for group in match.groups() if group is not None)


def _computable(graph: tuple[str, ...], numbers: tuple[int, ...], limit: int) -> bool:
    if any(KINDS[name].role == "final" for name in graph[:-1]) or not numbers:
        return False
    try:
        return canonical_route(build(graph, numbers), limit=limit) is not None
    except (ZeroDivisionError, ArithmeticError):
        return False
