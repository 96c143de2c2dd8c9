"""Questions read back: every problem of the world is, and what the world does not tell is not."""

from __future__ import annotations

import itertools

import pytest
from world_settings import EASY, MIDDLE

from rft.config import WorldConfig
from rft.text.world import WorldSplit, world_problems
from rft.text.world.reading import read_question

QUESTION = "Ann bought 3 bags of 17 nails. She sold 5 nails. How many nails now?"
PATH = "makes <<3*17=51>>51\nleft <<51-5=46>>46\n#### 46"


@pytest.mark.parametrize("config", [EASY, MIDDLE])
@pytest.mark.parametrize("split", [WorldSplit.POOL, WorldSplit.TEST])
def test_every_problem_is_read_back_as_it_was_told(config: WorldConfig, split: WorldSplit):
    problems = world_problems(config, split=split, count=60)
    for problem in problems:
        told = read_question(problem.question, limit=config.max_value)
        assert told is not None, problem.question
        assert problem.spec is not None
        assert [list(told.graph), list(told.numbers)] == [problem.spec["graph"], problem.spec["numbers"]]
        assert told.solved_by(problem.solution)
        assert told.split(seed=config.seed) is split
    for one, other in itertools.pairwise(problems):
        told = read_question(one.question, limit=config.max_value)
        assert told is not None
        assert not told.solved_by(other.solution)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "How many nails now?",
        QUESTION.replace("She", "He"),
        QUESTION.replace("nails now", "pens now"),
        QUESTION.replace("How many nails now?", "How many miles were left?"),
        QUESTION.replace("sold 5", "sold 52"),  # more than there are
        QUESTION.replace("sold 5", "sold five"),
        QUESTION.removesuffix(" How many nails now?"),
        "She sold 5 nails. Ann bought 3 bags of 17 nails. How many nails now?",
        "Ann bought 3 bags of 17 nails. Now 7 cousins shared all equally. How many did each cousin get?",  # 51 by 7
    ],
)
def test_what_the_world_does_not_tell_is_not_read(question: str):
    assert read_question(QUESTION, limit=60) is not None
    assert read_question(question, limit=60) is None


def test_a_pronoun_that_may_mean_two_people_is_not_read():
    told = "Bob added 2 pages. She read 5 pages. How many pages were left?"
    assert read_question(f"Ann had to read 9 pages. {told}", limit=60) is not None
    assert read_question(f"Ann had to read 9 pages. {told.replace('Bob', 'Una')}", limit=60) is None


def test_a_path_solves_what_it_computes_and_nothing_else():
    told = read_question(QUESTION, limit=60)
    assert told is not None
    assert told.solved_by(PATH)
    assert not told.solved_by(PATH.replace("46", "45"))
    assert not told.solved_by("left <<17-5=12>>12\nmakes <<3*12=36>>36\n#### 36")
