"""Scenarios: how each clause kind is told when the story is about buying, sharing, travelling, baking, ...

A phrase holds {0}, {1}, {2} for the clause's numbers, {A} the hero, {P} she/he/they, {B} another person, {o} objects,
{g} containers, {times} 'twice' or '3 times', {fraction} 'third'. Everything is in the past tense, so that no verb
changes with its subject.

    >>> SCENARIOS[0].phrases["groups"]
    '{A} bought {0} {g} of {1} {o}.'
    >>> question_of(SCENARIOS[0], "share")
    'How many {o} did each get?'
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
    "half": "{P} gave away half.",
    "fraction": "{P} gave away a {fraction}.",
    "join_times": "{B} added {times} as many.",
    "join_more": "{B} added {0} more than that.",
    "join_fewer": "{B} added {0} fewer than that.",
    "times": "{B} had {times} as many.",
    "more": "{B} had {0} more.",
    "fewer": "{B} had {0} fewer.",
    "price": "Each cost {0} dollars.",
    "share": "{0} friends shared them equally.",
    "packs": "They were packed in crates of {0}.",
    "need": "{P} needed {0}.",
}

_QUESTIONS = {
    "times": "How many {o} did {B} have?",
    "more": "How many {o} did {B} have?",
    "fewer": "How many {o} did {B} have?",
    "price": "How many dollars in all?",
    "share": "How many {o} did each get?",
    "packs": "How many crates?",
    "need": "How many more {o}?",
}

DISTRACTORS = (
    "{A} was {0} years old.",
    "It took {0} minutes.",
    "{A} also had {0} hats.",
    "The walk home was {0} streets.",
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
    question: str = "How many {o} were there?",
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
        gain="{P} bought {0} more.",
        lose="{P} sold {0}.",
        half="{P} sold half.",
        fraction="{P} sold a {fraction}.",
        gain_groups="{P} bought {0} more {g} of {1}.",
        lose_groups="{P} sold {0} {g} of {1}.",
        lose_two="{P} sold {0} and lost {1}.",
    ),
    _scenario(
        "sharing",
        objects="marbles stickers sweets toys",
        containers="jars tins bags",
        groups="{A} had {0} {g} of {1} {o}.",
        mixed="{A} had {0} {g}, each with {1} red and {2} blue {o}.",
        rest_groups="{A} had {0} {g} but lost {1}. Each held {2} {o}.",
        gain="{P} got {0} more.",
        lose="{P} gave away {0}.",
        gain_groups="{0} friends gave {1} more each.",
        lose_groups="{0} friends got {1} each.",
        lose_two="{P} gave away {0} and lost {1}.",
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
        gain="{P} found {0} more.",
        lose="{P} lost {0}.",
        half="{P} lost half.",
        fraction="{P} lost a {fraction}.",
        gain_groups="{P} filled {0} more {g} with {1} each.",
        lose_groups="{P} lost {0} {g} of {1}.",
        lose_two="{P} lost {0} and sold {1}.",
    ),
    _scenario(
        "travelling",
        objects="miles",
        containers="days",
        question="How many {o} were left?",
        have="{A} planned {0} {o}.",
        groups="{A} planned {0} {g} of {1} {o}.",
        parts="{A} planned {0} {o} on foot and {1} {o} by bus.",
        mixed="{A} planned {0} {g}, each with {1} {o} on foot and {2} by bus.",
        rest_groups="{A} planned {0} {g} but dropped {1}. Each had {2} {o}.",
        gain="A detour added {0}.",
        lose="{P} drove {0}.",
        half="{P} drove half.",
        fraction="{P} drove a {fraction}.",
        gain_groups="{0} detours added {1} each.",
        lose_groups="{P} drove {0} hours at {1} an hour.",
        lose_two="{P} drove {0} and walked {1}.",
        times="{B} planned {times} as many.",
        more="{B} planned {0} more.",
        fewer="{B} planned {0} fewer.",
        share="The rest took {0} equal days.",
        without="packs need join_times join_more join_fewer",
        ask_times="How many {o} did {B} plan?",
        ask_more="How many {o} did {B} plan?",
        ask_fewer="How many {o} did {B} plan?",
        ask_share="How many {o} each day?",
    ),
    _scenario(
        "baking",
        objects="cookies rolls muffins pies",
        containers="trays plates tins",
        have="{A} baked {0} {o}.",
        groups="{A} baked {0} {g} of {1} {o}.",
        parts="{A} baked {0} plain {o} and {1} sweet {o}.",
        mixed="{A} baked {0} {g}, each with {1} plain and {2} sweet {o}.",
        rest_groups="{A} baked {0} {g} but burned {1}. Each held {2} {o}.",
        gain="{P} baked {0} more.",
        lose="{P} ate {0}.",
        half="{P} sold half.",
        fraction="{P} sold a {fraction}.",
        gain_groups="{P} baked {0} more {g} of {1}.",
        lose_groups="{P} sold {0} {g} of {1}.",
        lose_two="{P} ate {0} and sold {1}.",
    ),
    _scenario(
        "farming",
        objects="eggs apples carrots plums",
        containers="baskets sacks crates",
        have="{A} picked {0} {o}.",
        groups="{A} picked {0} {g} of {1} {o}.",
        parts="{A} picked {0} ripe {o} and {1} green {o}.",
        mixed="{A} picked {0} {g}, each with {1} ripe and {2} green {o}.",
        rest_groups="{A} picked {0} {g} but dropped {1}. Each held {2} {o}.",
        gain="{P} picked {0} more.",
        lose="{P} dropped {0}.",
        half="{P} sold half.",
        fraction="{P} sold a {fraction}.",
        gain_groups="{P} picked {0} more {g} of {1}.",
        lose_groups="{P} sold {0} {g} of {1}.",
        lose_two="{P} dropped {0} and sold {1}.",
        packs="They were packed in boxes of {0}.",
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
        rest_groups="{A} had to read {0} {g} but dropped {1}. Each had {2} {o}.",
        gain="{B} added {0}.",
        lose="{P} read {0}.",
        half="{P} read half.",
        fraction="{P} read a {fraction}.",
        gain_groups="{B} added {0} {g} of {1}.",
        lose_groups="{P} read {0} hours at {1} an hour.",
        lose_two="{P} read {0} and dropped {1}.",
        share="The rest took {0} equal days.",
        without="packs need price",
        ask_share="How many {o} each day?",
    ),
    _scenario(
        "saving",
        objects="dollars",
        containers="days",
        question="How many {o} were left?",
        have="{A} saved {0} {o}.",
        groups="{A} worked {0} {g} for {1} {o} each.",
        parts="{A} saved {0} {o} and earned {1} {o}.",
        mixed="{A} worked {0} {g}, each for {1} {o} and {2} in tips.",
        rest_groups="{A} planned {0} {g} of work but dropped {1}. Each paid {2} {o}.",
        gain="{P} earned {0} more.",
        lose="{P} spent {0}.",
        half="{P} spent half.",
        fraction="{P} spent a {fraction}.",
        gain_groups="{P} worked {0} more {g} for {1} each.",
        lose_groups="{P} bought {0} hats for {1} each.",
        lose_two="{P} spent {0} and lost {1}.",
        without="packs price",
    ),
    _scenario(
        "building",
        objects="bricks tiles boards",
        containers="rows piles",
        groups="{A} stacked {0} {g} of {1} {o}.",
        mixed="{A} stacked {0} {g}, each with {1} red and {2} blue {o}.",
        rest_groups="{A} stacked {0} {g} but broke {1}. Each held {2} {o}.",
        gain="{P} stacked {0} more.",
        lose="{P} broke {0}.",
        half="{P} used half.",
        fraction="{P} used a {fraction}.",
        gain_groups="{P} stacked {0} more {g} of {1}.",
        lose_groups="{P} used {0} {g} of {1}.",
        lose_two="{P} used {0} and broke {1}.",
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
    texts += [*DISTRACTORS, *FRACTIONS.values(), "They twice times"]
    return sorted({word for text in texts for word in re.findall(r"[A-Za-z]+", re.sub(r"\{\w+\}", " ", text))})
