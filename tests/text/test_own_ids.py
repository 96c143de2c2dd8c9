"""Ids of a data file's own: a pool that calls questions by them is the pool that spells the questions out."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from rft.records import Problem
from rft.text.foreign import Joined, OwnNames, join_draws
from rft.text.gsm8k import ReadAs, problems_of
from rft.text.overlap import normalise
from rft.text.own_ids import OBVIOUS, joined_ids, obvious_columns, own_ids
from rft.text.rowmap import RowMap
from tests.text.test_foreign import reply

OWN: list[Any] = [7, "7b", 0, "a b", 12, "g-x"]  # of six rows
QUESTIONS = [f"Ann has {n} nails, gets {n}. How many?" for n in range(len(OWN))]
ROWS = [
    {"uid": own, "question": text, "answer": f"#### {2 * n}"}
    for n, (own, text) in enumerate(zip(OWN, QUESTIONS, strict=True))
]
PROBLEMS = problems_of(((f"line {n}", row) for n, row in enumerate(ROWS, 1)), name="mine").problems
DRAWS = [[f"draw {i} of {n}" for i in range(3)] for n in range(5)]  # none of the last


def placed(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"line {number}", row) for number, row in enumerate(rows, start=1)]


def names(rows: list[dict[str, Any]] = ROWS, column: str = "uid", **how: Any) -> OwnNames:
    return OwnNames((column,), own_ids(placed(rows), ReadAs(**how), name="mine.jsonl", column=column))


def joined(rows: list[dict[str, Any]], own: OwnNames | None, problems: list[Problem] = PROBLEMS) -> Joined:
    return join_draws(enumerate(rows, start=1), problems, name="pool.jsonl", seed=3, own=own)


def called(form: str, own: Any, texts: list[str]) -> Mapping[str, Any]:
    return {
        "list": {"id": own, "completions": texts},
        "as the data calls it": {"uid": own, "samples": texts},
        "batch": {"id": "batch-1", "custom_id": own, "response": {"status_code": 200, "body": reply(texts)}},
        "bare reply": {**reply(texts), "problem_id": own},
        "lm_eval of the same file": {"doc_id": 99, "doc": {"uid": own, "prompt": "?"}, "resps": [texts], "filter": "x"},
    }[form]


FORMS = ("list", "as the data calls it", "batch", "bare reply", "lm_eval of the same file")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("written", [lambda own: own, str, lambda own: float(own) if isinstance(own, int) else own])
def test_ids_and_questions_name_the_same_draws(form: str, written: Any):
    """Whether an id is a number or its text, and in whatever order the file is."""
    by_words = [{"question": text, "completions": texts} for text, texts in zip(QUESTIONS, DRAWS, strict=False)]
    by_id = [dict(called(form, written(own), texts)) for own, texts in zip(OWN, DRAWS, strict=False)]
    random.Random(0).shuffle(by_id)
    found = joined(by_id, names())
    assert found.samples == joined(by_words, None).samples
    assert (found.facts.by_own_id, found.facts.unmatched_rows) == (5, 0)
    assert joined(by_words, names()).facts.by_own_id == 0
    with pytest.raises(ValueError, match="none of its 5 rows belongs"):
        joined(by_id, None)


def test_an_id_may_lie_deep_and_rows_of_several_solutions_may_share_one():
    rows = [{"meta": {"n": n // 2}, "q": QUESTIONS[n // 2], "s": f"way {n}\n#### {n // 2 * 2}"} for n in range(6)]
    own = names(rows, "meta.n", row_map=RowMap(question="q", solution="s"))
    assert own.questions == {str(n): normalise(QUESTIONS[n]) for n in range(3)}
    found = joined([{"meta": {"n": 1}, "text": "a"}, {"id": 2, "text": "b"}], own)
    assert [(one.id, one.text) for one in found.samples] == [(PROBLEMS[1].id, "a"), (PROBLEMS[2].id, "b")]


def test_every_row_of_a_question_has_its_id():
    rows = [{**ROWS[0], "uid": "first"}, {**ROWS[0], "uid": "second", "answer": "other\n#### 0"}]
    assert set(names(rows).questions) == {"first", "second"}
    punctuated = [
        ROWS[0],
        {**ROWS[1], "question": QUESTIONS[0].replace(",", ""), "uid": "also"},
    ]  # one problem, see overlap
    found = joined([{"uid": own, "text": "a"} for own in (7, "also")], names(punctuated), PROBLEMS[:1])
    assert [one.id for one in found.samples] == [PROBLEMS[0].id] * 2


def test_a_row_that_becomes_no_problem_still_names_its_question():
    """Whichever row of a question is kept: the other was dropped by the rule, or another file of a mixture came first."""
    other = {**ROWS[0], "question": QUESTIONS[0].replace(",", ""), "uid": "also"}
    own = names([ROWS[0], other])
    for row in (ROWS[0], other):
        kept = problems_of(placed([row]), name="mine").problems
        for by in ({"uid": "also"}, {"uid": 7}, {"uid": "also", "question": other["question"]}):
            assert [one.id for one in joined([{**by, "text": "a"}], own, kept).samples] == [kept[0].id]


def test_this_projects_own_ids_still_count_and_are_not_counted_as_the_files():
    found = joined([{"id": PROBLEMS[4].id, "text": "a"}], names())
    assert [one.id for one in found.samples] == [PROBLEMS[4].id]
    assert found.facts.by_own_id == 0


def test_rows_that_cannot_be_problems_need_no_id():
    rows = [*ROWS, {"question": "How?", "answer": "no idea"}, {"question": "Why?", "answer": "#### 3", "uid": None}]
    assert names(rows[:7]) == names() == names(rows, limit=7)
    with pytest.raises(ValueError, match=r"mine\.jsonl: line 8 has nothing in its column of ids, 'uid'"):
        names(rows)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7.0, r"line 2 has the id '7', which line 1 has too, for another question"),
        ("7", r"line 2 has the id '7', which line 1 has too, for another question"),
        (None, r"line 2 has nothing in its column of ids, 'uid': expected text or a whole number"),
        ("", r"line 2 has nothing"),
        (True, r"line 2 has bool 'True'"),
        (1.5, r"line 2 has float '1\.5'"),
        ([7], r"line 2 has list '\[7\]'"),
        (PROBLEMS[0].id, r"line 2 has the id 'g-[0-9a-f]+', which this project gives another of its questions"),
    ],
)
def test_ids_that_are_none_are_refused(value: Any, message: str):
    rows = [ROWS[0], {**ROWS[1], "uid": value}]
    with pytest.raises(ValueError, match=message):
        names(rows)


def test_a_row_without_the_column_says_what_it_has():
    with pytest.raises(ValueError, match=r"line 1 lacks 'uids' \(it has answer, question, uid\)"):
        names(column="uids")


def test_a_question_that_is_its_own_id_of_this_project_is_no_clash():
    rows = [{**row, "uid": problem.id} for row, problem in zip(ROWS, PROBLEMS, strict=True)]
    assert names(rows).questions == {problem.id: normalise(problem.question) for problem in PROBLEMS}


def test_an_id_and_a_question_that_disagree_are_both_named():
    row = {"id": "7b", "question": QUESTIONS[0], "text": "a"}
    with pytest.raises(ValueError, match=r"line 1 has the id '7b'.*it asks 'Ann has 0.*the problem is 'Ann has 1"):
        joined([row], names())
    with pytest.raises(ValueError, match=r"the ids of two problems, '7b' and '0'"):
        joined([{"id": "7b", "uid": 0, "text": "a"}], names())
    assert [one.id for one in joined([{**row, "id": "unknown"}], names()).samples] == [PROBLEMS[0].id]


def test_files_with_and_without_ids_say_what_would_do():
    foreign = [{"id": "q-17", "text": "a"}, {"id": 4, "text": "b"}]
    with pytest.raises(ValueError, match=r"line 1: id q-17.*own ids stand in its 'uid', and are like '7', '7b', '0'"):
        joined(foreign, names())
    why = "mine.jsonl has no column of ids (id): name one with data.adapter.id"
    with pytest.raises(
        ValueError, match=r"line 2: id 4.*are not read: mine.jsonl has no column of ids .*data\.adapter\.id"
    ):
        join_draws(enumerate(foreign, 1), PROBLEMS, name="pool.jsonl", seed=0, no_ids=why)


def test_the_place_that_lm_eval_gives_counts_only_where_the_file_has_it_as_an_id():
    rows = [{"doc_id": n, "doc": {"prompt": "?"}, "resps": [[f"a{n}"]], "filter": "x"} for n in (2, 0)]
    numbered = [{**row, "doc_id": n, "n": n} for n, row in enumerate(ROWS)]
    assert [one.id for one in joined(rows, names(numbered, "doc_id")).samples] == [PROBLEMS[0].id, PROBLEMS[2].id]
    with pytest.raises(ValueError, match="none of its 2 rows"):
        joined(rows, names(numbered, "n"))
    spelt = [{**rows[0], "doc": {"question": QUESTIONS[5]}}]  # its place says problem 2
    with pytest.raises(ValueError, match="has the id '2'"):
        joined(spelt, names(numbered, "doc_id"))
    assert [one.id for one in joined(spelt, names(numbered, "n")).samples] == [PROBLEMS[5].id]


def test_ids_of_several_files_are_one_list_or_named():
    first, second = {"7": "g-a", "8": "g-b"}, {"8": "g-b", "9": "g-c"}
    assert joined_ids({"one": first, "two": second}) == {**first, **second}
    with pytest.raises(ValueError, match="two has the id '7', which one has too"):
        joined_ids({"one": first, "two": {"7": "g-c"}})


def test_columns_that_are_ids_by_their_names():
    assert obvious_columns({"question": 1, "idx": 2}) == ["idx"]
    assert obvious_columns(dict.fromkeys(OBVIOUS)) == list(OBVIOUS)
    assert obvious_columns({"uuid": 1}) == []
