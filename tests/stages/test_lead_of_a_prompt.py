"""A lead in words ("Answer: "): learnt and generated once, no part of a solution, at keys that change with it alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from byte_model import byte_tokenizer, write_byte_model
from lone_stage import given_problems, given_weights, working

from rft.core.sampling.base import Solution
from rft.infra.digest import digest
from rft.records import Problem
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import training_pairs
from rft.stages.generation import Generation
from rft.stages.problems import Subset, write_problems
from rft.stages.shard import Shard
from rft.stages.stage import Stage
from rft.stages.weights import ModelFacts
from rft.text.prompts import PINNED, template_named
from rft.text.templates import Template

SOLUTION = "so <<7+3=10>> 10\n#### 10"
PROBLEM = Problem("p1", "Seven and three?", SOLUTION, "10")
LEADS = ["z ", "Answer: ", "\nAnswer:\n", " The answer: ", "?", " ", "\n\n", ""]


@dataclasses.dataclass
class Parrot:
    """A model that has learnt to answer everything with one text."""

    text: str

    @contextmanager
    def of(self, *_: Any, **__: Any) -> Iterator[Parrot]:
        yield self

    def sample(self, prompts: Any, *, num_draws: int, **_: Any) -> list[list[Solution]]:
        return [[Solution(self.text, 9, truncated=False)] * num_draws for _ in prompts]


def template(lead: str) -> Template:
    return Template("mine", "{question}\n", lead=lead, stop=("\nQ:",))


def stages(lead: str) -> dict[str, Any]:
    problems, weights = given_problems("train"), given_weights()
    how = Generation("m", "torch", "float32", "own", 99, 99, (), own_template=template(lead))
    shard = {"block": (0, 1), "draws": (0, 1), "temperature": 1.0, "top_p": 1.0, "seed": 0, "stream": "m"}
    return {
        "shard": Shard(subset=Subset(problems, 1, None), weights=weights, generation=how, **shard),
        "evaluate": Evaluate(weights=weights, generation=how, problems=problems, num_problems=1, rule="gsm8k"),
    }


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("kind", ["shard", "evaluate"])
def test_what_a_model_writes_after_training_trains_the_next_one_on_the_same_text(
    tmp_path: Path, lead: str, kind: str
) -> None:
    """A model that reproduces its training text to the letter: trained on its own samples, it learns that text again."""
    ((_, learnt),) = training_pairs([(PROBLEM.question, SOLUTION)], template(lead), byte_tokenizer())
    stage = stages(lead)[kind]
    for name in ("data", "out"):
        (tmp_path / name).mkdir()
    write_problems([PROBLEM], tmp_path / "data")
    model = write_byte_model(tmp_path / "model")
    ModelFacts(1, 1, 2.0).write(model)
    inputs = {given_weights(): model, given_problems("train"): tmp_path / "data"}
    with working(tmp_path / "out", inputs) as work:
        stage.run(dataclasses.replace(work, sampler=Parrot(learnt + "\nQ: and?")))
    (sample,) = stage.read(tmp_path / "out").samples()
    assert sample.text == SOLUTION
    ((_, again),) = training_pairs([(PROBLEM.question, sample.text)], template(lead), byte_tokenizer())
    assert again == learnt


def test_what_only_resembles_the_lead_stays() -> None:
    """A model that was not taught the lead need not write it, and a solution may begin with its words."""
    for text in ("zebras are 10", "so z 10", "z", ""):
        assert template("z ").clean(text) == text
    assert template("z ").clean("z z so 10") == "z so 10"
    assert template("Answer: ").clean("  Answer: 10 ") == "10"


@pytest.mark.parametrize("lead", LEADS)
def test_keys_change_where_texts_do(lead: str) -> None:
    """Under a lead of white space the key is the digest of kind, version and fields, as it always was."""
    for stage in stages(lead).values():
        is_as_ever = stage.key == digest([stage.kind, stage.version, stage.identity()])
        assert is_as_ever == (not lead.strip())


def test_leads_of_the_package_are_white_space() -> None:
    assert all(not template_named(name).lead.strip() for name in PINNED)


def test_every_stage_that_generates_for_a_prompt_of_ones_own_looks_at_its_lead() -> None:
    """Relabelling alone has wordings of its own, and refuses such prompts."""
    import rft.plan.cell  # noqa: F401  imports all stages

    def kinds(of: type[Stage[Any]]) -> Iterator[type[Stage[Any]]]:
        for one in of.__subclasses__():
            yield one
            yield from kinds(one)

    asking = {one for one in kinds(Stage) if {"generation", "served"} & {f.name for f in dataclasses.fields(one)}}
    assert {one.kind for one in asking} >= {"shard", "dealt_shard", "served_shard", "evaluate"}
    assert all(one.edition is not Stage.edition for one in asking)
