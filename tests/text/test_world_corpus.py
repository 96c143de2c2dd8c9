"""The pretraining corpus of the embedded world: what is in it, and what is not."""

from __future__ import annotations

import collections
import hashlib
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from world_settings import EASY

from rft.core.world_tokenizer import build_world_tokenizer
from rft.records import Problem
from rft.stages import corpus
from rft.stages.corpus import Corpus, _encoded
from rft.text.world import WorldSplit, corpus_documents, equation_key, paths_of, verdict, world_problems
from rft.text.world.corpus import Segment
from rft.text.world.problems import drafts, tell
from tests.lone_stage import run_stage

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


def marked_by_hand(text: str) -> list[bool]:
    """For each character of a document whether it belongs to a result, or to an operand that its item's story tells.

    Written from the definition alone: an item is a story (up to its solution) and the equations behind it.
    """
    flags = [False] * len(text)
    solved = text.startswith("Question:")
    place = 0
    for item in re.split(r"(\n\n)" if solved else r"(\n)", text):
        equations = list(EQUATION.finditer(item))
        story = item.split("\nAnswer:")[0] if solved else item[: equations[0].start()] if equations else ""
        told = re.findall(r"\d+", story)
        for found in equations:
            for group in (1, 3, 4):
                if group == 4 or found[group] in told:
                    first, last = (place + end for end in found.span(group))
                    flags[first:last] = [True] * (last - first)
        place += len(item)
    return flags


def test_determined_are_results_and_operands_copied_from_the_story_alone() -> None:
    kinds: collections.Counter[str] = collections.Counter()
    for document in documents(500, held_out=True):
        text = text_of(document)
        assert [s.determined for s in document for _ in s.text] == marked_by_hand(text), text
        kinds[text.split(" ")[0]] += 1
    assert kinds["Question:"] > 100


def test_no_marked_token_is_trivial() -> None:
    """Three in four of them were the closing sign, the result said again, or the answer's line: known by the format alone."""
    tokenizer = build_world_tokenizer(EASY)
    marked = trivial = 0
    for document in documents(500, held_out=True):
        text = text_of(document)
        ids, marks = _encoded(tokenizer, [document], marked=True)
        assert len(ids) == len(marks)
        assert ids[-1] == tokenizer.eos_token_id
        starts = [
            start
            for start, _ in tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        ]
        assert not marks[-1]
        for start, mark in zip(starts, marks[:-1], strict=True):
            marked += mark
            after_sign = text[:start].endswith((">>", "#### "))
            trivial += mark and (after_sign or not text[start].isdigit())
    assert marked > 5_000
    assert trivial == 0


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


def test_a_marked_corpus_holds_the_same_tokens_and_a_mark_for_each(tmp_path: Path) -> None:
    """Marks of the stage against the documents' own segments: token by token, results and copied operands."""
    world = {name: value for name, value in vars(EASY).items() if name != "human_style"}
    made = []
    for on in (False, True):
        stage = Corpus(world=world, num_tokens=5_000, seed=4, determined=on)
        run_stage(stage, out=tmp_path / f"{on}", inputs={})
        made.append(stage.read(tmp_path / f"{on}"))
    plain, marked = made
    tokenizer = build_world_tokenizer(EASY)
    tokens, marks = np.load(marked.tokens), np.load(marked.determined)
    assert np.array_equal(np.load(plain.tokens), tokens)
    assert not plain.determined.exists()
    expected = [
        (word, segment.determined)
        for document in itertools.islice(corpus_documents(EASY, seed=4), 200)
        for segment in [*document, Segment("<eos>", False)]
        for word in ([segment.text] if segment.text == "<eos>" else tokenizer.tokenize(segment.text))
    ]
    words = tokenizer.convert_ids_to_tokens(tokens.tolist())
    assert list(zip(words, marks.tolist(), strict=True)) == expected[: len(words)]


@pytest.mark.parametrize("singles", [0, 1_500])
def test_how_many_documents_are_made_at_once_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, singles: int
) -> None:
    world = {name: value for name, value in vars(EASY).items() if name != "human_style"}
    stage = Corpus(world=world, num_tokens=4_000, seed=4, singles=singles, determined=True)
    found = []
    for number, (at_once, long) in enumerate([(2_000, 1), (2_000, 64), (2_000, 10**6), (7, 1)]):
        monkeypatch.setattr(corpus, "DOCUMENTS_AT_ONCE", at_once)
        monkeypatch.setattr(corpus, "LONG", long)
        run_stage(stage, out=tmp_path / str(number), inputs={})
        found.append({path.name: path.read_bytes() for path in (tmp_path / str(number)).iterdir()})
    assert len(found[0]) > 2
    assert all(other == found[0] for other in found[1:])
