"""Hindsight relabelling (paper appendix D): fitting paths of a pool, with the questions that a reverse model writes for them.

    pairs_of(work.open(relabel))     # [Pair(id="w-0f3a", key="3*17=51", ..., question="Ann buys ...", answer="51"), ...]

Writes `kept.jsonl.gz`, rows of `Pair`, and `solutions.jsonl`, a capped sample for people (rows of rft.stages.rows.Shown).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

from rft.records import Outcome, Problem, Sample, write_jsonl
from rft.stages.evaluate import SOLUTIONS_FILE
from rft.stages.finetune import Finetune
from rft.stages.generation import Generated, Generation, generate
from rft.stages.kept import KEPT_FILE, KeptPaths, Pair, Selection
from rft.stages.problems import Problems, Subset
from rft.stages.rows import Shown
from rft.stages.shard import Pool
from rft.stages.stage import Done, Facts, StageContext, added
from rft.stages.weights import Weights
from rft.text.answers import equal, extract
from rft.text.hindsight import FAULTS, Reading, hindsight
from rft.text.overlap import Asked, Tested
from rft.text.world import WorldSplit
from rft.text.world.reading import read_question

NUM_SHOWN = 64
INCONSISTENT = "inconsistent_question"  # the SFT model answers it otherwise
REASONS = (
    "truncated",
    *FAULTS,
    "right_answer",  # with relabel=wrong: it belongs to rejection sampling
    "duplicate_path",
    "truncated_question",
    "empty_question",
    "held_out_question",  # of the test or validation set
    INCONSISTENT,
)


class RelabelWhich(Enum):
    """Which sampled paths get a question, of those whose equations hold."""

    wrong = "wrong"  # those with a wrong answer: all that rejection sampling throws away
    all = "all"


def pairs_of(kept: KeptPaths) -> list[Pair]:
    """The pairs of a finished relabelling, in the order of their paths in the pool."""
    return [path for path in kept.kept() if isinstance(path, Pair)]


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
    signs: bool = added(False)  # held-out questions may hold any signs; False: of the embedded world, which has none

    @property
    def edition(self) -> int:
        return self.version + self.signs  # 4: a question that differs from a held-out one in signs alone is held out

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
        write_jsonl(work.out / SOLUTIONS_FILE, (_shown(pair).to_json() for pair in pairs[:NUM_SHOWN]))
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
            path = hindsight(sample.text, kind=self.equations, tolerance=self.tolerance)
            marks = {(sample.id, path.key), path.text}
            reason = self._fault(sample, path, gold=golds[sample.id]) or ("duplicate_path" if marks & seen else None)
            if reason is not None:
                drops[reason] += 1
                continue
            seen |= marks
            yield Pair(sample.id, path.key, sample.model, sample.draw, path.text, "", path.answer)

    def _fault(self, sample: Sample, path: Reading, *, gold: str) -> str | None:
        """Why a sample cannot be relabelled, regardless of the others."""
        if sample.truncated:
            return "truncated"
        answer = extract(self.rule, sample.text)
        right = answer is not None and equal(self.rule, answer, gold)
        return path.fault or ("right_answer" if right and self.relabel == RelabelWhich.wrong.value else None)

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

    known: Tested
    world: World | None

    @staticmethod
    def of(stage: Relabel, work: StageContext) -> _HeldOut:
        problems = (problem for source in stage.held_out for problem in work.open(source).problems())
        return _HeldOut(Tested(Asked(problem.question, None) for problem in problems), stage.world)

    def __contains__(self, question: str) -> bool:
        if self.known.find(Asked(question, None)) is not None:  # its path may be wrong: the answer says nothing
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
        reason = _question_fault(question, held_out=held_out)
        if reason is None:
            yield replace(path, question=question.text)
        else:
            drops[reason] += 1


def _question_fault(question: Sample, *, held_out: _HeldOut) -> str | None:
    """Why a written question cannot be kept."""
    if question.truncated:
        return "truncated_question"
    if not question.text:
        return "empty_question"
    return "held_out_question" if question.text in held_out else None


def _consistent(pairs: Sequence[Pair], solved: Sequence[Sample], *, rule: str, drops: Counter[str]) -> Iterator[Pair]:
    for pair, solution in zip(pairs, solved, strict=True):
        answer = extract(rule, solution.text)
        if answer is not None and equal(rule, answer, pair.answer):
            yield pair
        else:
            drops[INCONSISTENT] += 1


def _shown(pair: Pair) -> Shown:
    return Shown(
        id=pair.id,
        question=pair.question,
        gold=pair.answer,
        text=pair.text,
        outcome=Outcome.CORRECT.value,
        source="relabelled",
        model=pair.model,
        draw=pair.draw,
        kept=True,
        reason=None,
    )
