"""Scenarios: how each clause kind is told when the story is about buying, sharing, travelling, baking, ...

A phrase holds {0}, {1}, {2} for the clause's numbers, {A} the hero, {P} She/He, {B} another person, {o} objects,
{g} containers, {times} 'twice' or '3 times', {fraction} 'third'. Everything is in the past tense, so that no verb
changes with its subject. A reader must see which amount is meant: counted things are named (5 bags or 5 nails?), comparisons,
shares and questions take what there is "now" or "left", and texts stay short, since a base pays for every word.

    >>> SCENARIOS[0].phrases["groups"]
    '{A} bought {0} {g} of {1} {o}.'
    >>> question_of(SCENARIOS[0], "share")
    'How many did each cousin get?'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

NAMES: tuple[tuple[str, str], ...] = tuple(
    (name, pronoun)
    for pronoun, names in (("She", "Ann Eva Ida Mia Zoe Lea Kim Una"), ("He", "Bob Dan Leo Max Tom Sam Ben Joe"))
    for name in names.split()
)

FRACTIONS = {3: "third", 4: "quarter", 5: "fifth"}

_COMMON = {
    "have": "{A} had {0} {o}.",
    "parts": "{A} had {0} red {o} and {1} blue {o}.",
    "half": "{P} then gave away half.",
    "fraction": "{P} then gave away a {fraction}.",
    "join_times": "{B} then added {times} as many as {A} had.",
    "join_more": "{B} then added {0} more than {A} had.",
    "join_fewer": "{B} then added {0} fewer than {A} had.",
    "times": "Now {B} had {times} as many as {A}.",
    "more": "Now {B} had {0} more than {A}.",
    "fewer": "Now {B} had {0} fewer than {A}.",
    "price": "Those {A} now had cost {0} dollars each.",
    "share": "Now {0} cousins shared all equally.",
    "packs": "Now all went into crates of {0}.",
    "need": "{A} now wanted to have {0}.",
}

_QUESTIONS = {
    "times": "How many did {B} have?",
    "more": "How many did {B} have?",
    "fewer": "How many did {B} have?",
    "price": "How many dollars did those cost?",
    "share": "How many did each cousin get?",
    "packs": "How many crates?",
    "need": "How many more did {A} need?",
}

DISTRACTORS = (
    "{A} was {0} years old.",
    "It took {0} minutes.",
    "{B} lived {0} streets away.",
    "{B} was {0} years old.",
)


@dataclass(frozen=True)
class Scenario:
    """One setting of stories. Kinds without a phrase are not told in it."""

    name: str
    objects: tuple[str, ...]
    containers: tuple[str, ...]
    question: str  # where the last clause asks for nothing of its own
    phrases: dict[str, str]
    questions: dict[str, str] = field(default_factory=dict)  # by last kind, over the common ones


def _scenario(
    name: str,
    *,
    objects: str,
    containers: str,
    question: str = "How many {o} now?",
    without: str = "",
    **own: str,
) -> Scenario:
    asked = {kind.removeprefix("ask_"): text for kind, text in own.items() if kind.startswith("ask_")}
    told = {kind: text for kind, text in own.items() if not kind.startswith("ask_")}
    phrases = {kind: text for kind, text in {**_COMMON, **told}.items() if kind not in without.split()}
    return Scenario(name, tuple(objects.split()), tuple(containers.split()), question, phrases, {**_QUESTIONS, **asked})


SCENARIOS: tuple[Scenario, ...] = (
    _scenario(
        "buying",
        objects="pens cards candles nails",
        containers="boxes packs bags",
        groups="{A} bought {0} {g} of {1} {o}.",
        parts="{A} bought {0} red {o} and {1} blue {o}.",
        mixed="{A} bought {0} {g}, each with {1} red and {2} blue {o}.",
        rest_groups="{A} bought {0} {g} but returned {1}. Each held {2} {o}.",
        gain="{P} bought {0} more {o}.",
        lose="{P} sold {0} {o}.",
        half="{P} then sold half.",
        fraction="{P} then sold a {fraction}.",
        gain_groups="{P} bought {0} more {g} of {1}.",
        lose_groups="{P} sold {0} {g} of {1}.",
        lose_two="{P} sold {0} {o} and lost {1}.",
    ),
    _scenario(
        "sharing",
        objects="marbles stickers sweets toys",
        containers="jars tins bags",
        groups="{A} had {0} {g} of {1} {o}.",
        mixed="{A} had {0} {g}, each with {1} red and {2} blue {o}.",
        rest_groups="{A} had {0} {g} but lost {1}. Each held {2} {o}.",
        gain="{P} got {0} more {o}.",
        lose="{P} gave away {0} {o}.",
        gain_groups="{0} friends gave {A} {1} each.",
        lose_groups="{P} gave {0} friends {1} each.",
        lose_two="{P} gave away {0} {o} and lost {1}.",
    ),
    _scenario(
        "collecting",
        objects="shells stamps rocks coins",
        containers="jars tins boxes",
        have="{A} found {0} {o}.",
        groups="{A} filled {0} {g} with {1} {o} each.",
        parts="{A} found {0} big {o} and {1} small {o}.",
        mixed="{A} filled {0} {g}, each with {1} big and {2} small {o}.",
        rest_groups="{A} filled {0} {g} but lost {1}. Each held {2} {o}.",
        gain="{P} found {0} more {o}.",
        lose="{P} lost {0} {o}.",
        half="{P} then lost half.",
        fraction="{P} then lost a {fraction}.",
        gain_groups="{P} found {0} more {g} of {1}.",
        lose_groups="{P} lost {0} {g} of {1}.",
        lose_two="{P} lost {0} {o} and sold {1}.",
    ),
    _scenario(
        "travelling",
        objects="miles",
        containers="days",
        question="How many {o} were left?",
        have="{A} had to travel {0} {o}.",
        groups="{A} had to travel {0} {g} of {1} {o}.",
        parts="{A} had to travel {0} {o} by car and {1} {o} by bus.",
        mixed="{A} had to travel {0} {g}, each with {1} {o} by car and {2} by bus.",
        rest_groups="{A} had to travel {0} {g} but skipped {1}. Each had {2} {o}.",
        gain="A detour added {0} {o}.",
        lose="{P} drove {0} {o}.",
        half="{P} then drove half.",
        fraction="{P} then drove a {fraction}.",
        gain_groups="{0} detours added {1} each.",
        lose_groups="{P} drove {0} hours at {1} an hour.",
        lose_two="{P} drove {0} {o} and walked {1}.",
        times="Now {B} had {times} as many left as {A}.",
        more="Now {B} had {0} more left than {A}.",
        fewer="Now {B} had {0} fewer left than {A}.",
        price="Those still left cost {0} dollars each.",
        share="The {o} left made {0} equal parts.",
        without="packs need join_times join_more join_fewer",
        ask_times="How many did {B} have left?",
        ask_more="How many did {B} have left?",
        ask_fewer="How many did {B} have left?",
        ask_share="How many {o} in each part?",
    ),
    _scenario(
        "baking",
        objects="cookies rolls muffins pies",
        containers="trays plates tins",
        have="{A} baked {0} {o}.",
        groups="{A} baked {0} {g} of {1} {o}.",
        parts="{A} baked {0} plain {o} and {1} sweet {o}.",
        mixed="{A} baked {0} {g}, each with {1} plain and {2} sweet {o}.",
        rest_groups="{A} baked {0} {g} but lost {1}. Each held {2} {o}.",
        gain="{P} baked {0} more {o}.",
        lose="{P} ate {0} {o}.",
        half="{P} then sold half.",
        fraction="{P} then sold a {fraction}.",
        gain_groups="{P} baked {0} more {g} of {1}.",
        lose_groups="{P} sold {0} {g} of {1}.",
        lose_two="{P} ate {0} {o} and sold {1}.",
    ),
    _scenario(
        "farming",
        objects="eggs apples carrots plums",
        containers="baskets sacks crates",
        have="{A} picked {0} {o}.",
        groups="{A} picked {0} {g} of {1} {o}.",
        parts="{A} picked {0} big {o} and {1} small {o}.",
        mixed="{A} picked {0} {g}, each with {1} big and {2} small {o}.",
        rest_groups="{A} picked {0} {g} but lost {1}. Each held {2} {o}.",
        gain="{P} picked {0} more {o}.",
        lose="{P} ate {0} {o}.",
        half="{P} then sold half.",
        fraction="{P} then sold a {fraction}.",
        gain_groups="{P} picked {0} more {g} of {1}.",
        lose_groups="{P} sold {0} {g} of {1}.",
        lose_two="{P} ate {0} {o} and sold {1}.",
        packs="Now all went into boxes of {0}.",
        ask_packs="How many boxes?",
    ),
    _scenario(
        "reading",
        objects="pages",
        containers="chapters",
        question="How many {o} were left?",
        have="{A} had to read {0} {o}.",
        groups="{A} had to read {0} {g} of {1} {o}.",
        parts="{A} had to read {0} old {o} and {1} new {o}.",
        mixed="{A} had to read {0} {g}, each with {1} old and {2} new {o}.",
        rest_groups="{A} had to read {0} {g} but skipped {1}. Each had {2} {o}.",
        gain="{B} added {0} {o}.",
        lose="{P} read {0} {o}.",
        half="{P} then read half.",
        fraction="{P} then read a {fraction}.",
        gain_groups="{B} added {0} {g} of {1}.",
        lose_groups="{P} read {0} hours at {1} an hour.",
        lose_two="{P} read {0} {o} and skipped {1}.",
        join_times="{B} then added {times} as many as {A} had left.",
        join_more="{B} then added {0} more than {A} had left.",
        join_fewer="{B} then added {0} fewer than {A} had left.",
        times="Now {B} had {times} as many left as {A}.",
        more="Now {B} had {0} more left than {A}.",
        fewer="Now {B} had {0} fewer left than {A}.",
        share="The {o} left made {0} equal parts.",
        without="packs need price",
        ask_times="How many did {B} have left?",
        ask_more="How many did {B} have left?",
        ask_fewer="How many did {B} have left?",
        ask_share="How many {o} in each part?",
    ),
    _scenario(
        "saving",
        objects="dollars",
        containers="days",
        have="{A} saved {0} {o}.",
        groups="{A} worked {0} {g} for {1} {o} each.",
        parts="{A} had {0} {o} in bills and {1} {o} in coins.",
        mixed="{A} worked {0} {g}, each for {1} {o} in pay and {2} in tips.",
        rest_groups="{A} planned {0} {g} of work but skipped {1}. Each paid {2} {o}.",
        gain="{P} earned {0} more {o}.",
        lose="{P} spent {0} {o}.",
        half="{P} then spent half.",
        fraction="{P} then spent a {fraction}.",
        gain_groups="{P} worked {0} more {g} for {1} each.",
        lose_groups="{P} bought {0} hats for {1} each.",
        lose_two="{P} spent {0} {o} and lost {1}.",
        without="packs price",
    ),
    _scenario(
        "building",
        objects="bricks tiles boards",
        containers="rows piles",
        groups="{A} had {0} {g} of {1} {o}.",
        mixed="{A} had {0} {g}, each with {1} red and {2} blue {o}.",
        rest_groups="{A} had {0} {g} but sold {1}. Each held {2} {o}.",
        gain="{P} got {0} more {o}.",
        lose="{P} used up {0} {o}.",
        half="{P} then used up half.",
        fraction="{P} then used up a {fraction}.",
        gain_groups="{P} got {0} more {g} of {1}.",
        lose_groups="{P} used up {0} {g} of {1}.",
        lose_two="{P} used up {0} {o} and sold {1}.",
    ),
)


def question_of(scenario: Scenario, last_kind: str) -> str:
    """The closing question after a graph's last kind."""
    return scenario.questions.get(last_kind, scenario.question)


def fitting(graph: Sequence[str]) -> tuple[Scenario, ...]:
    """The scenarios that have a phrase for every kind of the graph."""
    return _fitting(tuple(graph))


@lru_cache(maxsize=16384)
def _fitting(graph: tuple[str, ...]) -> tuple[Scenario, ...]:
    return tuple(scenario for scenario in SCENARIOS if all(kind in scenario.phrases for kind in graph))


def supported(graph: Sequence[str]) -> bool:
    """Whether some scenario can tell the graph."""
    return bool(fitting(graph))


def words() -> list[str]:
    """Every word the world's text can hold, sorted: the tokenizer's vocabulary less numbers and signs."""
    texts = [text for s in SCENARIOS for text in (*s.phrases.values(), *s.questions.values(), s.question)]
    texts += [word for s in SCENARIOS for word in (*s.objects, *s.containers)]
    texts += [word for name in NAMES for word in name]
    texts += [*DISTRACTORS, *FRACTIONS.values(), "twice times"]
    return sorted({word for text in texts for word in re.findall(r"[A-Za-z]+", re.sub(r"\{\w+\}", " ", text))})
