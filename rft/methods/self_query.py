"""Self-query, hindsight relabelling (paper appendix D): sampled paths get the question that they do solve.

A model of the reverse task (path in, question out) writes questions for the fitting paths of the pool that RFT selects from;
the base then trains on these pairs, with the human ones or alone.

`Relabel` writes `kept.jsonl.gz`, rows {"id", "key", "model", "draw", "text", "question", "answer"} (id: of the question
that was asked), and `solutions.jsonl`, a capped sample for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from rft.config import StudyConfig
from rft.plan.method import METHODS, Method, Task, Trained
from rft.plan.planner import Planner
from rft.plan.yields import BYTES_PER_SAMPLE_TOKEN, model_size
from rft.records import Problem, Sample, write_jsonl
from rft.stages.evaluate import SOLUTIONS_FILE
from rft.stages.finetune import Finetune
from rft.stages.generation import Generated, Generation, generate
from rft.stages.kept import KEPT_FILE, Selection
from rft.stages.problems import Problems, Subset
from rft.stages.shard import Pool
from rft.stages.stage import Done, Facts, StageContext, Work, added
from rft.stages.trainset import Example, Trainset, write_examples
from rft.stages.weights import Weights
from rft.text.answers import RULES, equal, extract
from rft.text.hindsight import FAULTS, hindsight
from rft.text.overlap import normalise
from rft.text.prompts import REVERSE, REVISE, TASK_TEMPLATES
from rft.text.world import WorldSplit
from rft.text.world.reading import read_question

NUM_SHOWN = 64
REASONS = (
    "truncated",
    *FAULTS,
    "right_answer",  # with relabel=wrong: it belongs to rejection sampling
    "duplicate_path",
    "truncated_question",
    "empty_question",
    "held_out_question",  # of the test or validation set
    "inconsistent_question",  # the SFT model answers it otherwise
)


class QueryMix(Enum):
    """What is trained on."""

    mixed = "mixed"  # the human pairs and the relabelled ones
    alone = "alone"  # the relabelled ones


class RelabelWhich(Enum):
    """Which sampled paths get a question, of those whose equations hold."""

    wrong = "wrong"  # those with a wrong answer: all that rejection sampling throws away
    all = "all"


@dataclass
class SelfQueryOptions:
    """Under methods.self_query."""

    mix: QueryMix = QueryMix.mixed
    relabel: RelabelWhich = RelabelWhich.wrong
    consistent: bool = False  # keep only questions that the SFT model, greedily, answers as the path does


@dataclass(frozen=True)
class Pair:
    """A sampled path with the question that it solves."""

    id: str  # of the question that was asked
    key: str
    model: str
    draw: int
    text: str  # its final answer is its last equation's
    answer: str
    question: str = ""  # the one that it solves

    @property
    def name(self) -> str:
        """Unique among pairs."""
        return f"{self.id}/{self.draw}"

    def to_json(self) -> dict[str, Any]:
        """The row of a paths file."""
        names = ("id", "key", "model", "draw", "text", "question", "answer")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False, kw_only=True)
class ReverseSet(Trainset):
    """Examples of the reverse task: a human path is the prompt and its question the response."""

    kind: ClassVar[str] = "reverse_set"

    def run(self, work: StageContext) -> Done:
        human = self.subset.problems(work)
        rows = [{"id": p.id, "question": p.solution, "solution": p.question, "source": "human"} for p in human]
        return Done(facts=write_examples(rows, work.out))


@dataclass(frozen=True)
class World:
    """What is needed to read a question of the embedded world and to say which split its problem belongs to."""

    seed: int
    max_value: int


@dataclass(frozen=True)
class RelabelFacts(Facts):
    """What became of the samples."""

    num_questions_sampled: int
    num_samples: int
    num_relabelled: int
    drop_counts: dict[str, int]
    num_relabelled_readable: int | None = None  # questions that the embedded world can read
    num_relabelled_valid: int | None = None  # of these, the ones that their path solves


@dataclass(frozen=True, eq=False, kw_only=True)
class Relabel(Selection):
    """Fitting paths of a pool, each with the question that the reverse model writes for it."""

    kind: ClassVar[str] = "relabel"
    version: ClassVar[int] = 3  # 3: signs and exponents as they are meant
    samples: ClassVar[bool] = True
    pool: Pool
    subset: Subset
    writer: Finetune
    asking: Generation  # how the writer is asked
    solver: Weights | None  # None, or the model that must answer a kept question as the path does
    solving: Generation | None
    held_out: tuple[Problems, ...]  # their questions must not be generated
    relabel: str
    rule: str
    equations: str
    tolerance: float
    world: World | None
    plugins: tuple[str, ...] = added(())

    def run(self, work: StageContext) -> Done:
        problems = self.subset.problems(work)
        samples = list(self.pool.samples(work))
        drops: Counter[str] = Counter()
        paths = list(self.fitting_paths(samples, problems, drops=drops))
        asked = [Problem(path.name, path.text, "", path.answer) for path in paths]
        written = generate(self.asking, asked, num_draws=None, model=work.open(self.writer), work=work)
        pairs = list(_questioned(paths, written.samples, held_out=_HeldOut.of(self, work), drops=drops))
        solved = Generated([])
        if self.solver is not None and self.solving is not None:
            posed = [Problem(pair.name, pair.question, "", pair.answer) for pair in pairs]
            solved = generate(self.solving, posed, num_draws=None, model=work.open(self.solver), work=work)
            pairs = list(_consistent(pairs, solved.samples, rule=self.rule, drops=drops))
        assert len(pairs) + sum(drops.values()) == len(samples), "every sample is kept or counted once"
        write_jsonl(work.out / KEPT_FILE, (pair.to_json() for pair in pairs))
        write_jsonl(work.out / SOLUTIONS_FILE, map(_shown, pairs[:NUM_SHOWN]))
        counts = {reason: drops[reason] for reason in REASONS}
        facts = RelabelFacts(len(problems), len(samples), len(pairs), counts, *self._validity(pairs))
        return Done(written.tokens + solved.tokens, written.flops + solved.flops, facts)

    def fitting_paths(
        self, samples: Sequence[Sample], problems: Sequence[Problem], *, drops: Counter[str]
    ) -> Iterator[Pair]:
        """The paths to relabel: equations hold, the answer wrong unless all are wanted, once per question and key.

        A text that several questions drew counts once: the reverse model would write the same question for it again.
        """
        golds = {problem.id: problem.gold for problem in problems}
        seen: set[Any] = set()
        for sample in samples:
            reading = hindsight(sample.text, kind=self.equations, tolerance=self.tolerance)
            answer = extract(self.rule, sample.text)
            right = answer is not None and equal(self.rule, answer, golds[sample.id])
            twice = bool({(sample.id, reading.key), reading.text} & seen)
            if sample.truncated or reading.fault is not None:
                drops["truncated" if sample.truncated else str(reading.fault)] += 1
            elif right and self.relabel == RelabelWhich.wrong.value:
                drops["right_answer"] += 1
            elif twice:
                drops["duplicate_path"] += 1
            else:
                seen |= {(sample.id, reading.key), reading.text}
                yield Pair(sample.id, reading.key, sample.model, sample.draw, reading.text, reading.answer)

    def _validity(self, pairs: Sequence[Pair]) -> tuple[int, int] | tuple[()]:
        """How many generated questions the embedded world can read, and how many of these their path solves."""
        if self.world is None:
            return ()
        told = [(read_question(pair.question, limit=self.world.max_value), pair.text) for pair in pairs]
        readable = [(question, text) for question, text in told if question is not None]
        return len(readable), sum(question.solved_by(text) for question, text in readable)


@dataclass(frozen=True)
class _HeldOut:
    """Whether a question is one of the test or validation set: by its text, and in the embedded world by what it tells."""

    known: frozenset[str]
    world: World | None

    @staticmethod
    def of(stage: Relabel, work: StageContext) -> _HeldOut:
        problems = (problem for source in stage.held_out for problem in work.open(source).problems())
        return _HeldOut(frozenset(normalise(problem.question) for problem in problems), stage.world)

    def __contains__(self, question: str) -> bool:
        if normalise(question) in self.known:
            return True
        if self.world is None:
            return False
        told = read_question(question, limit=self.world.max_value)
        return told is not None and told.split(seed=self.world.seed) in (WorldSplit.TEST, WorldSplit.VALIDATION)


def _questioned(
    paths: Sequence[Pair], written: Sequence[Sample], *, held_out: _HeldOut, drops: Counter[str]
) -> Iterator[Pair]:
    for path, question in zip(paths, written, strict=True):
        assert question.id == path.name
        if question.truncated:
            drops["truncated_question"] += 1
        elif not question.text:
            drops["empty_question"] += 1
        elif question.text in held_out:
            drops["held_out_question"] += 1
        else:
            yield Pair(path.id, path.key, path.model, path.draw, path.text, path.answer, question.text)


def _consistent(pairs: Sequence[Pair], solved: Sequence[Sample], *, rule: str, drops: Counter[str]) -> Iterator[Pair]:
    for pair, solution in zip(pairs, solved, strict=True):
        answer = extract(rule, solution.text)
        if answer is not None and equal(rule, answer, pair.answer):
            yield pair
        else:
            drops["inconsistent_question"] += 1


def _shown(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "question": pair.question,
        "gold": pair.answer,
        "text": pair.text,
        "outcome": "correct",
        "source": "relabelled",
        "model": pair.model,
        "draw": pair.draw,
        "kept": True,
        "reason": None,
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class QuerySet(Trainset):
    """The relabelled pairs, after the human ones where mixed."""

    kind: ClassVar[str] = "query_set"
    pairs: Relabel
    mix: str

    def run(self, work: StageContext) -> Done:
        """Raises ValueError when there is nothing to train on."""
        human = self.subset.problems(work) if self.mix == QueryMix.mixed.value else []
        rows: list[Example] = [
            {"id": p.id, "question": p.question, "solution": p.solution, "source": "human"} for p in human
        ]
        for one in work.open(self.pairs).rows():
            rows.append({"id": one["id"], "question": one["question"], "solution": one["text"], "source": "relabelled"})
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
        return task_problems(cfg, num_tokens=2 * cfg.data.max_prompt_tokens + cfg.data.max_new_tokens)

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
        plugins=RULES.foreign(cfg.data.rule),
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
    if f"{prompt}_{REVISE}" not in TASK_TEMPLATES:
        yield f"method={cfg.method} has no wording for data.prompt={prompt}: use alpaca, plain or world"
    if context is not None and num_tokens > context:
        yield (
            f"method={cfg.method} needs up to {num_tokens} tokens (question, path and what is written), "
            f"model={cfg.model.name} has a context of {context}: lower data.max_prompt_tokens or max_new_tokens"
        )
