"""Self-query, hindsight relabelling (paper appendix D): sampled paths get the question that they do solve.

A model of the reverse task (path in, question out) writes questions for the fitting paths of the pool that RFT selects from;
the base then trains on these pairs, with the human ones or alone.

    rft run method=self_query methods.self_query.mix=alone k=4
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from rft.config import StudyConfig
from rft.plan.method import METHODS, Method, Task, Trained
from rft.plan.planner import Planner
from rft.plan.yields import BYTES_PER_SAMPLE_TOKEN, model_size
from rft.stages.finetune import Finetune
from rft.stages.relabel import Relabel, RelabelWhich, World, pairs_of
from rft.stages.stage import Done, StageContext, Work
from rft.stages.trainset import HUMAN, Example, Trainset, human_examples, write_examples
from rft.text.answers import RULES, grading_marks
from rft.text.path_keys import TEXT
from rft.text.prompts import REVERSE, REVISE, TASK_TEMPLATES


class QueryMix(Enum):
    """What is trained on."""

    mixed = "mixed"  # the human pairs and the relabelled ones
    alone = "alone"  # the relabelled ones


@dataclass
class SelfQueryOptions:
    """Under methods.self_query."""

    mix: QueryMix = QueryMix.mixed
    relabel: RelabelWhich = RelabelWhich.wrong
    consistent: bool = False  # keep only questions that the SFT model, greedily, answers as the path does


@dataclass(frozen=True, eq=False, kw_only=True)
class ReverseSet(Trainset):
    """Examples of the reverse task: a human path is the prompt and its question the response."""

    kind: ClassVar[str] = "reverse_set"

    def run(self, work: StageContext) -> Done:
        human = self.subset.problems(work)
        rows = [Example(p.id, text, p.question, HUMAN) for p in human for text in p.solutions]
        return Done(facts=write_examples(rows, work.out))


@dataclass(frozen=True, eq=False, kw_only=True)
class QuerySet(Trainset):
    """The relabelled pairs, after the human ones where mixed."""

    kind: ClassVar[str] = "query_set"
    pairs: Relabel
    mix: str

    def run(self, work: StageContext) -> Done:
        """Raises ValueError when there is nothing to train on."""
        human = self.subset.problems(work) if self.mix == QueryMix.mixed.value else []
        rows = human_examples(human)
        pairs = pairs_of(work.open(self.pairs))
        rows += [Example(pair.id, pair.question, pair.text, "relabelled") for pair in pairs]
        if not rows:
            raise ValueError(
                "methods.self_query.mix=alone has nothing to train on: no sampled path was relabelled. Raise k or "
                "temperature, set methods.self_query.relabel=all, or methods.self_query.mix=mixed"
            )
        return Done(facts=write_examples(rows, work.out))


@METHODS.add("self_query")
class SelfQuery(Method):
    """The paper's first augmentation that did not help."""

    title = "self-query"
    options = SelfQueryOptions

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        yield from task_problems(cfg, num_tokens=2 * cfg.data.max_prompt_tokens + cfg.data.max_new_tokens)
        if not RULES[cfg.data.rule].numbers:
            yield f"method={cfg.method} computes gold answers from equations, and data.rule={cfg.data.rule} is for others"
        if cfg.select.equations == TEXT:
            yield (
                f"method={cfg.method} computes gold answers from equations, and select.equations={TEXT} reads none: set "
                "annotated or plain"
            )

    def plan(self, p: Planner) -> Trained:
        reverse = reverse_task(p)
        turned = ReverseSet(subset=p.human, **p.trainset_estimates("reverse", p.human))
        writer = p.finetune(turned, task=reverse)
        relabel = _relabel(p, writer=writer, reverse=reverse)
        mix = p.options(SelfQueryOptions).mix.value
        kept = p.expected_kept(p.human, draws=p.cfg.k)
        estimates = p.trainset_estimates("self_query", p.human, added=kept, assumed=True, k=p.cfg.k)
        trainset = QuerySet(subset=p.human, pairs=relabel, mix=mix, **estimates)
        return Trained(p.finetune(trainset), trainset=trainset, selections=(relabel,))


def _relabel(p: Planner, *, writer: Finetune, reverse: Task) -> Relabel:
    cfg, options, world = p.cfg, p.options(SelfQueryOptions), p.cfg.data.world
    sft = p.sft()
    solver = sft if options.consistent else None
    tokens = p.expected_kept(p.human, draws=cfg.k) * cfg.data.expected_question_tokens
    read = p.expected_kept(p.human, draws=cfg.k) * cfg.data.expected_solution_tokens
    flops = 2.0 * model_size(cfg.model).num_params * (tokens + read)
    return Relabel(
        pool=p.sample(sft, subset=p.questions, num_draws=cfg.k),
        subset=p.questions,
        writer=writer,
        asking=p.generation(task=reverse),
        solver=solver,
        solving=p.generation() if solver else None,
        held_out=(p.test, p.validation) if cfg.data.num_validation else (p.test,),
        relabel=options.relabel.value,
        rule=cfg.data.rule,
        equations=cfg.select.equations,
        tolerance=cfg.select.tolerance,
        world=World(world.seed, world.max_value) if world else None,
        plugins=grading_marks(cfg.data.rule),
        signs=world is None,
        label=f"relabel k={cfg.k}",
        model=cfg.model.name,
        work=Work(tokens, flops, BYTES_PER_SAMPLE_TOKEN * tokens, assumed=True),
    )


def reverse_task(p: Planner) -> Task:
    """Path in, question out."""
    task = p.task()
    return Task(f"{task.prompt}_{REVERSE}", task.max_prompt_tokens + task.max_new_tokens, task.max_prompt_tokens)


def task_problems(cfg: StudyConfig, *, num_tokens: int) -> Iterator[str]:
    """Whether the prompt has a wording for these tasks, and the model room for what they show and write."""
    prompt = cfg.model.prompt or cfg.data.prompt
    context = cfg.model.arch.context if cfg.model.arch else cfg.model.context
    if f"{prompt}_{REVISE}" not in TASK_TEMPLATES or prompt in cfg.prompts:
        yield f"method={cfg.method} has no wording for data.prompt={prompt}: use alpaca, plain or world"
    if context is not None and num_tokens > context:
        yield (
            f"method={cfg.method} needs up to {num_tokens} tokens (question, path and what is written), "
            f"model={cfg.model.name} has a context of {context}: lower data.max_prompt_tokens or max_new_tokens"
        )
