"""The pretraining corpus of the embedded world, as a stream of documents.

    >>> from rft.config import WorldConfig
    >>> easy = WorldConfig(min_steps=2, max_steps=3, num_graphs=128, max_distractors=0, human_style=0.9,
    ...                    composed_frac=0.15, seed=0)
    >>> documents = corpus_documents(easy, seed=0)
    >>> "".join(segment.text for segment in next(documents)).split("\\n")[0]
    'Ida had 21 pens. She sold 6 boxes of 2: gives <<6*2=12>>12'

Most documents hold COMPONENTS of solutions in their notation: bare arithmetic facts; sentences of the scenarios with the one
equation that they license; or whole stories with their first equation only. A share `composed_frac` of the documents holds
whole solved problems, as a few-shot prompt would. All items of a document share a latent format (kind of item, wording,
operand order, style), so that the first items tell how the next will look.

    facts:     'makes <<3*17=51>>51\\ntotal <<8+5=13>>13\\n...'
    readings:  'Ann bought 3 bags of 17 nails: makes <<3*17=51>>51\\nLeo had 12 pens. He sold 5 pens: ...'
    one step:  'Question: Ann had 9 pens. She sold 5 pens. How many pens now?\\nAnswer: left <<9-5=4>>4\\n#### 4'
    composed:  the same with the graphs of the problems

A document is a list of segments. `determined` ones are what has to be understood or computed: the result of an equation, and
an operand that is copied from the item's own story. All else is not marked: words, the choice of an operation, operands of
bare facts and of earlier results, and what the format alone tells (`>>`, a result said again, the answer's line).
Segments end at token borders.

`single_documents` is a stream of the simplest of these, one-step questions with some facts, to begin a pretraining with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rft.config import WorldConfig
from rft.text.world.expressions import canonical_text
from rft.text.world.graphs import WorldSplit, split_of
from rft.text.world.kinds import KINDS, build, draw_numbers
from rft.text.world.paths import LABELS, Path, draw_path
from rft.text.world.problems import Draft, drafts, tell_question
from rft.text.world.scenarios import supported

FACTS_PER_DOCUMENT = 10
READINGS_PER_DOCUMENT = 5
PROBLEMS_PER_DOCUMENT = 4
SINGLE_FACT_FRAC = 0.05  # of single documents: bare arithmetic
FACT_FRAC = 0.25  # of component documents: bare arithmetic
ONE_STEP_FRAC = 0.4  # of the other component documents: as a question with an answer
STORY_FRAC = 0.6  # of the readings: the first equation of a whole story, the rest of its solution left out
NUMBER = re.compile(r"\d+")
OPERATION_WEIGHTS = {"+": 0.32, "-": 0.38, "*": 0.15, "/": 0.15}  # of facts, about their share in problems


@dataclass(frozen=True)
class Segment:
    """A piece of a document."""

    text: str
    determined: bool  # a result, or an operand copied from the story


@dataclass(frozen=True)
class Shape:
    """The latent format of a document."""

    wording: int  # of LABELS
    flipped: bool  # operands of commuting operations in reverse
    style: float  # preference for the canonical path, in composed documents


def corpus_documents(config: WorldConfig, *, seed: int, held_out: bool = False) -> Iterator[list[Segment]]:
    """Endless documents; another seed gives another stream. `held_out` gives the slice that measures pretraining loss:
    its solved problems come from a split of their own, and its random stream is another one."""
    split = WorldSplit.HELD_OUT if held_out else WorldSplit.CORPUS
    rng = Random(f"corpus {config.seed} {split.value} {seed}")
    composed = drafts(config, split=split, stream=f"corpus {seed}")
    single = _single_steps(config, split, rng)
    while True:
        shape = Shape(rng.randrange(2), rng.random() < 0.5, rng.choice((0.0, 1.0)))
        if rng.random() < config.composed_frac:
            yield _joined((_solved(next(composed), config, shape, rng) for _ in range(PROBLEMS_PER_DOCUMENT)), "\n\n")
        elif rng.random() < FACT_FRAC:
            yield _facts(config, shape, rng)
        elif rng.random() < ONE_STEP_FRAC:
            yield _one_steps(single, config, shape, rng)
        else:
            told = composed if rng.random() < STORY_FRAC else single
            yield _joined((_reading(next(told), config, shape, rng) for _ in range(READINGS_PER_DOCUMENT)), "\n")


def single_documents(config: WorldConfig, *, seed: int) -> Iterator[list[Segment]]:
    """Endless documents of one step an item: questions of one relation with their answers, some bare facts."""
    rng = Random(f"singles {config.seed} {seed}")
    single = _single_steps(config, WorldSplit.CORPUS, rng)
    while True:
        shape = Shape(rng.randrange(2), rng.random() < 0.5, rng.choice((0.0, 1.0)))
        if rng.random() < SINGLE_FACT_FRAC:
            yield _facts(config, shape, rng)
        else:
            yield _one_steps(single, config, shape, rng)


def _facts(config: WorldConfig, shape: Shape, rng: Random) -> list[Segment]:
    return _joined((_fact(config.max_value, shape, rng) for _ in range(FACTS_PER_DOCUMENT)), "\n")


def _one_steps(single: Iterator[Draft], config: WorldConfig, shape: Shape, rng: Random) -> list[Segment]:
    return _joined((_solved(next(single), config, shape, rng) for _ in range(READINGS_PER_DOCUMENT)), "\n\n")


def _joined(items: Iterator[list[Segment]], separator: str) -> list[Segment]:
    document: list[Segment] = []
    for item in items:
        if document:
            document.append(Segment(separator, False))
        document += item
    return document


def _line(equation: tuple[int, str, int, int], wording: int, *, story: str) -> list[Segment]:
    """An equation with its label; `story`: the text that its operands may be copied from."""
    a, op, b, result = equation
    told = {int(number) for number in NUMBER.findall(story)}
    return [
        Segment(f"{LABELS[wording][op]} <<", False),
        Segment(str(a), a in told),
        Segment(op, False),
        Segment(str(b), b in told),
        Segment("=", False),
        Segment(str(result), True),
        Segment(f">>{result}", False),
    ]


def _fact(limit: int, shape: Shape, rng: Random) -> list[Segment]:
    """One true equation with all numbers in 1..limit: sums and differences evenly, products by their factors."""
    op = rng.choices(list(OPERATION_WEIGHTS), weights=list(OPERATION_WEIGHTS.values()))[0]
    if op in "+-":
        whole = rng.randint(2, limit)
        part = rng.randint(1, whole - 1)
        equation = (part, op, whole - part, whole) if op == "+" else (whole, op, part, whole - part)
    else:
        small = rng.randint(2, 12)
        large = rng.randint(1, limit // small)
        a, b = (small, large) if rng.random() < 0.5 else (large, small)
        equation = (a, op, b, small * large) if op == "*" else (small * large, op, a, b)
    return _line(equation, shape.wording, story="")


def _solved(draft: Draft, config: WorldConfig, shape: Shape, rng: Random) -> list[Segment]:
    """A question with its whole solution."""
    _, question = tell_question(draft, config)
    return [
        Segment(f"Question: {question}\nAnswer:", False),
        *_solution(_path(draft, config, shape, rng), shape.wording, story=question),
    ]


def _solution(path: Path, wording: int, *, story: str) -> list[Segment]:
    """A solution as it follows 'Answer:'."""
    segments: list[Segment] = []
    for index, equation in enumerate(path.equations):
        segments += [Segment("\n" if index else " ", False), *_line(equation, wording, story=story)]
    return [*segments, Segment(f"\n#### {path.equations[-1][3]}", False)]


def _path(draft: Draft, config: WorldConfig, shape: Shape, rng: Random) -> Path:
    path, _ = draw_path(draft.form, limit=config.max_value, style=shape.style, rng=rng)
    return _flip(path) if shape.flipped and shape.style == 1.0 else path


def _flip(path: Path) -> Path:
    return Path(tuple((b, op, a, c) if op in "+*" else (a, op, b, c) for a, op, b, c in path.equations))


def _reading(draft: Draft, config: WorldConfig, shape: Shape, rng: Random) -> list[Segment]:
    """The sentences of a question, and one equation that they license at once."""
    _, question = tell_question(draft, config)
    told = question.rsplit(". ", 1)[0]
    first = _path(draft, config, shape, rng).equations[0]
    return [Segment(f"{told}: ", False), *_line(first, shape.wording, story=told)]


def _single_steps(config: WorldConfig, split: WorldSplit, rng: Random) -> Iterator[Draft]:
    """Endless one-clause relations, their kinds drawn at random: a start alone, or a plain amount and one clause.

    A relation of two equations (such as giving 3 friends 4 each) is also told here: it is one sentence. Problems of
    other splits are passed over by canonical form."""
    graphs = [(kind.name,) if kind.role == "start" else ("have", kind.name) for kind in KINDS.values()]
    graphs = [graph for graph in graphs if graph != ("have",) and supported(graph)]
    while True:
        graph = rng.choice(graphs)
        numbers = draw_numbers(graph, limit=config.max_value, rng=rng)
        if numbers is None:
            continue
        form = build(graph, numbers)
        canonical = canonical_text(form)
        is_problem = sum(KINDS[name].steps for name in graph) >= config.min_steps
        if not is_problem or split_of(canonical, seed=config.seed) is split:
            yield Draft(graph, tuple(numbers), form, canonical)
