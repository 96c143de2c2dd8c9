"""Pools that somebody else drew: one pool in every form is the same pool, and what belongs to no question is said."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from rft.records import Problem
from rft.text.foreign import Joined, join_draws

PROBLEMS = [Problem(f"g-{n}", f"Ann has {n} nails, gets {n}. How many?", "", str(2 * n)) for n in range(6)]
DRAWS = {p.id: [f"{p.gold} is draw {i}" for i in range(4)] + [f"{p.gold} twice"] * 2 for p in PROBLEMS[:5]}
QUESTIONS = {p.id: p.question for p in PROBLEMS}


def reply(texts: list[str], key: str = "message") -> dict[str, Any]:
    body = [
        {"message": {"role": "assistant", "content": text}} if key == "message" else {"text": text} for text in texts
    ]
    choices = [{"index": i, "finish_reason": "stop", **one} for i, one in enumerate(body)]
    return {"id": "chatcmpl-7", "object": "chat.completion", "model": "big", "choices": choices}


def each(make: Callable[[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [make(name, text) for name, texts in DRAWS.items() for text in texts]


def whole(make: Callable[[str, list[str]], dict[str, Any]]) -> list[dict[str, Any]]:
    return [make(name, texts) for name, texts in DRAWS.items()]


FORMS: dict[str, list[dict[str, Any]]] = {
    "one, by id": each(lambda name, text: {"id": name, "text": text}),
    "one, MetaMath's names": each(lambda name, text: {"query": QUESTIONS[name], "response": text, "type": "x"}),
    "one, other spacing": each(lambda name, text: {"question": f"  {QUESTIONS[name].upper()} ", "completion": f"{text}\n"}),
    "list": whole(lambda name, texts: {"question": QUESTIONS[name], "completions": texts}),
    "list of objects": whole(lambda name, texts: {"id": name, "samples": [{"text": text} for text in texts]}),
    "chat": whole(
        lambda name, texts: {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": QUESTIONS[name]}],
                             "response": reply(texts)}),
    "bare reply": whole(lambda name, texts: {**reply(texts), "question": QUESTIONS[name]}),
    "completions": whole(lambda name, texts: {"id": name, "response": reply(texts, "text")}),
    "batch": whole(
        lambda name, texts: {"id": "b-1", "custom_id": name, "error": None,
                             "response": {"status_code": 200, "body": reply(texts)}}),
    "lm_eval": [
        {"doc_id": i, "doc": {"question": QUESTIONS[name], "answer": "#### 1"}, "resps": [texts], "filter": one}
        for i, (name, texts) in enumerate(DRAWS.items()) for one in ("strict-match", "flexible-extract")
    ],
}  # fmt: skip


def joined(rows: list[dict[str, Any]], seed: int = 0) -> Joined:
    return join_draws(enumerate(rows, start=1), PROBLEMS, name="pool.jsonl", seed=seed, model="theirs")


@pytest.mark.parametrize("form", FORMS)
def test_one_pool_is_the_same_in_every_form_and_order(form: str):
    rows = list(FORMS[form])
    first = joined(FORMS["one, by id"])
    assert joined(rows).samples == first.samples
    random.Random(1).shuffle(rows)
    assert joined(rows).samples == first.samples
    texts: dict[str, list[str]] = {}
    for sample in first.samples:
        assert sample.draw == len(texts.setdefault(sample.id, []))
        texts[sample.id].append(sample.text)
    assert {name: sorted(found) for name, found in texts.items()} == {n: sorted(found) for n, found in DRAWS.items()}


def test_without_draw_numbers_the_order_is_random_and_recorded():
    """Texts in the order of the file would be in the order in which somebody sorted them."""
    rows = [{"id": "g-1", "completions": [f"text {i:02}" for i in range(40)]}]
    orders = [[sample.text for sample in joined(rows, seed).samples] for seed in range(200)]
    assert orders[0] == [sample.text for sample in joined(rows, 0).samples]
    assert joined(rows, 7).facts.order == "shuffled by seed 7"
    first = [int(order[0].split()[1]) for order in orders]
    assert abs(sum(first) / len(first) - 19.5) < 4 * 11.5 / 200**0.5  # uniform over 40 places: four standard errors
    assert len(set(first)) > 30


def test_numbers_decide_the_order_and_gaps_close():
    rows = [{"id": "g-1", "text": f"draw {i}", "draw": i} for i in (7, 1, 4)]
    assert [(one.draw, one.text) for one in joined(rows).samples] == [(0, "draw 1"), (1, "draw 4"), (2, "draw 7")]
    assert joined(rows).facts.order == "draw numbers"


NUMBERED: dict[str, Callable[[int], dict[str, Any]]] = {
    "chat": lambda i: {"id": "g-1", "draw": i, "response": reply([f"draw {i}"])},
    "list of one": lambda i: {"id": "g-1", "draw": i, "outputs": [f"draw {i}"]},
    "objects": lambda i: {"id": "g-1", "samples": [{"text": f"draw {d}", "draw": d} for d in (i, i + 50)]},
    "lm_eval": lambda i: {"doc": {"question": QUESTIONS["g-1"]}, "draw": i, "resps": [[f"draw {i}"]]},
}  # fmt: skip


@pytest.mark.parametrize("form", NUMBERED)
def test_a_number_of_a_draw_counts_in_every_form(form: str):
    """Ignored, the draws would be shuffled without a word, and k = 2 would be another two."""
    rows = [NUMBERED[form](i) for i in random.Random(0).sample(range(40), 12)]
    texts = [one.text for one in joined(rows).samples]
    assert texts == sorted(texts, key=lambda text: int(text.split()[1]))
    assert joined(rows).facts.order == "draw numbers"


def test_a_text_cut_at_the_limit_is_truncated_in_rows_and_lists_too():
    cut = {"text": "b", "finish_reason": "length"}
    rows = [{"id": "g-1", **cut}, {"id": "g-2", "outputs": [cut]}, {"id": "g-3", "text": "c", "truncated": True}]
    rows += [{"id": "g-4", "texts": ["d"], "finish_reason": "length"}, {"id": "g-5", "texts": ["e"], "truncated": True}]
    assert [one.truncated for one in joined(rows).samples] == [True] * 5
    assert not any(one.truncated for one in joined([{"id": "g-1", "texts": ["a", "b"], "truncated": False}]).samples)


def test_messages_in_parts_are_texts():
    parts = [{"type": "text", "text": QUESTIONS["g-1"]}]
    answered = {"choices": [{"message": {"content": [{"type": "text", "text": "12"}]}}]}
    row = {"messages": [{"role": "user", "content": parts}], "response": answered}
    assert [(one.id, one.text) for one in joined([row]).samples] == [("g-1", "12")]


def test_rows_of_no_question_are_counted_and_named():
    rows = [{"id": "g-1", "text": "a"}, {"question": "Half of 48?", "text": "b"}, {"id": "g-99", "text": "c"}]
    facts = joined(rows).facts
    assert (facts.num_rows, facts.num_draws, facts.unmatched_rows) == (3, 1, 2)
    assert facts.unmatched == ["line 2: Half of 48?", "line 3: id g-99"]


def test_a_fault_of_a_server_is_no_answer():
    batch = {"custom_id": "g-1", "response": {"status_code": 500, "body": {"error": "overloaded"}}}
    rows = [batch, {"custom_id": "g-2", "response": None, "error": {"code": "expired"}}, *FORMS["batch"][:1]]
    found = joined(rows)
    assert found.facts.failed_requests == 2
    assert {sample.id for sample in found.samples} == {"g-0"}


def test_a_text_that_hit_the_limit_is_truncated():
    cut = reply(["a"])
    cut["choices"][0]["finish_reason"] = "length"
    assert [one.truncated for one in joined([{"id": "g-1", "response": cut}]).samples] == [True]


def test_columns_that_are_null_hide_no_text():
    rows = [{"id": "g-1", "response": None, "text": "a"}, {"id": "g-2", "choices": [{"message": None, "text": "b"}]}]
    found = joined(rows)
    assert ([one.text for one in found.samples], found.facts.failed_requests) == (["a", "b"], 0)


RESPONSE = {"object": "response", "output": [{"content": [{"type": "output_text", "text": "it is 2"}]}]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "g-1", "score": 2}], r"line 1 has no solution \(its fields are id, score\)"),
        (
            [{"id": "x", "text": "a"}],
            "none of its 1 rows belongs to a training question.*line 1: id x.*own are not read: it has none",
        ),
        (
            [{"id": "g-1", "text": "a", "draw": 0}] * 2,
            "line 2 repeats draw 0 of problem 'g-1'.*split the file by model",
        ),
        ([{"id": "g-1", "text": "a", "draw": -1}], "has the draw -1"),
        ([{"id": "g-1", "text": "a", "draw": 0}, {"id": "g-1", "text": "b"}], "with and without the field 'draw'"),
        (
            [{"id": "g-1", "question": QUESTIONS["g-2"], "text": "a"}],
            "has the id 'g-1', but not that problem's question",
        ),
        ([{"id": "g-1", "completions": [3]}], "has a int among its solutions"),
        ([{"id": "g-1", "choices": [{"logprobs": 1}]}], "a choice without"),
        ([{"resps": [["a"]]}], "has 'resps' and no 'doc'"),
        ([{"id": "g-1", "draw": 3, "completions": ["a", "b"]}], "has the draw 3 and 2 texts: number each"),
        ([{"id": "g-1", "custom_id": "g-2", "text": "a"}], "has the ids of two problems, 'g-1' and 'g-2'"),
        ([{"id": "g-1", "choices": [{"message": None}]}], "a choice without"),
        ([{"id": "g-1", "choices": [{"message": {"content": 3}}]}], "has a int where the text of a message"),
        (
            [{"custom_id": "g-1", "response": {"status_code": 200, "body": RESPONSE}, "error": None}],
            r"line 1 has a reply without 'choices' \(its fields are object, output\) that names no error",
        ),
        ([{"id": "g-1", "response": {"message": {"content": "2"}}}], "without 'choices'"),
        (
            [{"custom_id": "g-1", "response": {"status_code": 500, "body": {}}}],
            "none of its 1 rows has a text, 1 are requests that failed",
        ),
        ([{"id": "g-1", "completions": ["a", "b"], "truncated": True}], "say it of each of them"),
        ([{"id": "g-1", "completions": ["a", "b"], "truncated": [True, False]}], "expected true or false"),
        ([{"id": "g-1", "completions": ["a", "b"], "finish_reason": ["stop", "length"]}], "say it of each of them"),
        ([{"id": "g-1", "completions": ["a", "\ud800"]}], "line 1 holds half of a surrogate pair"),
        ([{"id": "g-1", **reply(["\ud800"])}], "line 1 holds half of a surrogate pair"),
        ([{"messages": ["Half of 48?"], "response": "24"}], "has messages that are no objects"),
        ([{"messages": [{"role": "user"}], "response": "24"}], "none of its 1 rows belongs"),
    ],
)
def test_what_cannot_be_read_is_said(rows: list[dict[str, Any]], message: str):
    with pytest.raises(ValueError, match=message):
        joined(rows)
