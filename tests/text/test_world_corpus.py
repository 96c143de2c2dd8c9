"""The pretraining corpus of the embedded world: what is in it, and what is not."""

from __future__ import annotations

import collections
import hashlib
import itertools
import re

from world_settings import EASY

from rft.records import Problem
from rft.text.world import WorldSplit, corpus_documents, equation_key, paths_of, verdict, world_problems
from rft.text.world.corpus import Segment
from rft.text.world.problems import drafts, tell

EQUATION = re.compile(r"<<(\d+)([-+*/])(\d+)=(\d+)>>(\d+)")


def documents(count: int, **kwargs: bool) -> list[list[Segment]]:
    return list(itertools.islice(corpus_documents(EASY, seed=0, **kwargs), count))


def text_of(document: list[Segment]) -> str:
    return "".join(segment.text for segment in document)


def test_every_equation_is_true() -> None:
    for document in documents(600):
        found = EQUATION.findall(text_of(document))
        assert found
        for a, op, b, c, again in found:
            x, y = int(a), int(b)
            assert {"+": x + y, "-": x - y, "*": x * y, "/": x / y}[op] == int(c) == int(again)


def test_share_of_composed_documents() -> None:
    """A composed document's solutions have two equations or more in most items; one-step documents have one."""
    texts = [text_of(d) for d in documents(2000)]
    solved = [t for t in texts if t.startswith("Question:")]
    several = [t for t in solved if sum(len(EQUATION.findall(item)) > 1 for item in t.split("\n\n")) == 4]
    assert 0.07 < len(several) / len(texts) < 0.13


def test_determined_segments_are_results_and_answers() -> None:
    for document in documents(300):
        for segment in document:
            shape = re.fullmatch(r"\d+>>\d+|\n#### \d+", segment.text)
            assert bool(shape) == segment.determined, segment


def test_no_problem_of_another_split_is_in_the_corpus() -> None:
    held = [
        p for split in (WorldSplit.TEST, WorldSplit.VALIDATION) for p in world_problems(EASY, split=split, count=1500)
    ]
    questions = {p.question for p in held}
    canonical = {(tuple(p.spec["graph"]), tuple(p.spec["numbers"])) for p in held}  # type: ignore[index]
    asked = {
        item.split("\nAnswer:")[0].removeprefix("Question: ")
        for document in documents(1500)
        for item in text_of(document).split("\n\n")
        if item.startswith("Question:")
    }
    assert len(asked) > 1500
    assert not asked & questions
    drawn = itertools.islice(drafts(EASY, split=WorldSplit.CORPUS, stream="corpus 0"), 1000)
    assert not canonical & {(draft.graph, draft.numbers) for draft in drawn}


def test_held_out_slice_has_problems_of_its_own() -> None:
    texts = {text_of(d) for d in documents(1000)}
    held_out = {text_of(d) for d in documents(300, held_out=True)}
    assert not texts & held_out


def test_every_fact_that_problems_need_is_frequent() -> None:
    """Within 0.4 million tokens nearly every equation of the test problems has been seen."""
    seen = collections.Counter(
        match.group(0).split(">>")[0] for d in documents(3000) for match in EQUATION.finditer(text_of(d))
    )
    problems = world_problems(EASY, split=WorldSplit.TEST, count=500)
    needed = [f"<<{equation}" for p in problems for equation in equation_key(p.solution).split("|")]
    assert sum(seen[fact] >= 1 for fact in needed) / len(needed) > 0.9
    assert sorted(seen[fact] for fact in needed)[len(needed) // 2] >= 3


def test_composed_items_are_valid_solutions() -> None:
    by_question: dict[str, Problem] = {}
    for draft in itertools.islice(drafts(EASY, split=WorldSplit.CORPUS, stream="corpus 0"), 400):
        problem = tell(draft, EASY)
        by_question[problem.question] = problem
    checked = 0
    for document in documents(800):
        for item in text_of(document).split("\n\n"):
            question, _, solution = item.removeprefix("Question: ").partition("\nAnswer: ")
            if question in by_question and len(paths_of(by_question[question]).first) > 1:
                assert verdict(by_question[question], solution).value == "valid"
                checked += 1
    assert checked > 40


def test_the_text_is_the_golden_one() -> None:
    """Bases of all stores were pretrained on it: text that changes needs another version of the corpus stage."""
    text = "\n".join(text_of(d) for d in [*documents(1500), *documents(200, held_out=True)])
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "7855df68055de4c0f6ffc979f3a2468d53ad857d030644e711da0c3748fd110f"
    )
