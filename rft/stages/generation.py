"""Prompts in, samples out: what evaluation, the shards of a pool and relabelling share.

how = Generation(model="nano-s", engine="ctranslate2", dtype="float32", prompt="world", max_prompt_tokens=96, ...)
made = generate(how, problems, num_draws=None, model=folder, work=work)           # greedy
made.samples[0].text, made.tokens, made.flops      # generated tokens; FLOPs, 2 N per prompt and generated token
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rft.records import Problem, Sample
from rft.stages.problems import Problems, Subset
from rft.stages.running import Counts
from rft.stages.stage import StageContext, added
from rft.stages.weights import ModelFolder
from rft.text.prompts import asked_by, draw_shots
from rft.text.templates import Template

if TYPE_CHECKING:
    from rft.core.tokenization import Prompt, Tokenizer


@dataclass(frozen=True)
class Shots:
    """Worked examples before the question."""

    pool: Problems  # they are drawn from these
    num_shots: int
    seed: int
    # Of training questions that are sampled: only these many first problems of the order that the seed gives, the human
    # ones of the cell, may be shown, and a question never stands among its own examples
    among: int | None = added(None)

    def problems(self, work: StageContext) -> list[Problem]:
        """Those that are shown, in their order in the prompt; with `among` one more, which takes a question's own place."""
        if self.among is None:
            return draw_shots(work.open(self.pool).problems(), num_shots=self.num_shots, seed=self.seed)
        human = Subset(self.pool, self.among, self.seed).problems(work)
        return draw_shots(human, num_shots=self.num_shots + 1, seed=self.seed)

    def before(self, problem: Problem, shown: Sequence[Problem]) -> list[Problem]:
        """The examples of one question, of those that `problems` gives."""
        if self.among is None:
            return list(shown)
        return [one for one in shown if not is_same(one, problem)][: self.num_shots]


def is_same(one: Problem, other: Problem) -> bool:
    """Whether two problems are one, by id or by words."""
    return one.id == other.id or one.question.split() == other.question.split()


@dataclass(frozen=True)
class Generation:
    """Everything but the weights and the question that decides a generated text."""

    model: str  # its name, which stands in every sample
    engine: str
    dtype: str
    prompt: str  # template
    max_prompt_tokens: int  # limit of a prompt without worked examples; each of those raises it by as much
    max_new_tokens: int
    stop: tuple[str, ...]  # strings that end a solution, besides the template's own
    shots: Shots | None = added(None)
    numerics: str = added("native")
    plugins: tuple[str, ...] = added(())  # digests of the source of an engine that is not this package's
    own_template: Template | None = added(None)  # of a user's file, by its content; None: the one that `prompt` names

    @property
    def template(self) -> Template:
        """How questions are asked."""
        return asked_by(self.prompt, self.own_template)

    @property
    def stop_strings(self) -> list[str]:
        """What ends a solution besides the end-of-sequence token."""
        return [*self.template.stop, *self.stop]


@dataclass(frozen=True)
class Generated:
    """The solutions, with the tokens generated and the FLOPs spent."""

    samples: list[Sample]
    tokens: int = 0
    flops: float = 0.0


def generate(
    how: Generation,
    problems: Sequence[Problem],
    *,
    num_draws: int | None,
    model: ModelFolder,
    work: StageContext,
    temperature: float = 0.0,
    top_p: float = 1.0,
    first_draw: int = 0,
    seed: int = 0,
    rule: str | None = None,
) -> Generated:
    """`num_draws` sampled solutions per problem (in problem order, then draw order), or the greedy one (draw -1).

    The engine is asked in the order of ids, so that the order of a file changes no solution. Under `rule`, solutions are
    graded as they come, for who looks on (rft.stages.running). Raises ValueError when a prompt
    and `max_new_tokens` exceed the model's context.
    """
    from rft.core.context import check_prompts, context_of
    from rft.core.tokenization import encode_prompts, load_tokenizer
    from rft.infra.devices import resolve_device

    if not problems:
        return Generated([])
    tokenizer = load_tokenizer(model.folder)
    order = sorted(range(len(problems)), key=lambda place: problems[place].id)
    shown = how.shots.problems(work) if how.shots is not None else []
    asked = [problems[place] for place in order]
    prompts = make_prompts(how, asked, shots=shown, tokenizer=tokenizer)
    lengths = [len(ids) for ids in encode_prompts(tokenizer, prompts)]
    check_prompts(lengths, max_new_tokens=how.max_new_tokens, context=context_of(model.folder))
    greedy = num_draws is None
    device = resolve_device(work.runtime.device)
    with work.sampler.of(how.engine, model.folder, dtype=how.dtype, device=device, runtime=work.runtime) as sampler:
        groups = sampler.sample(
            prompts,
            num_draws=1 if num_draws is None else num_draws,
            temperature=0.0 if greedy else temperature,
            top_p=1.0 if greedy else top_p,
            max_new_tokens=how.max_new_tokens,
            stop=how.stop_strings,
            seed=seed,
            progress=Counts(asked, rule=rule, clean=how.template.clean, work=work),
        )
    groups = [group for _, group in sorted(zip(order, groups, strict=True), key=lambda pair: pair[0])]
    clean = how.template.clean
    samples = [
        Sample(problem.id, -1 if greedy else first_draw + i, clean(one.text), one.truncated, one.num_tokens, how.model)
        for problem, group in zip(problems, groups, strict=True)
        for i, one in enumerate(group)
    ]
    written = sum(sample.num_tokens for sample in samples)
    return Generated(samples, written, model.facts.flops_per_token * (written + sum(lengths)))


def make_prompts(
    how: Generation, problems: Sequence[Problem], *, shots: Sequence[Problem], tokenizer: Tokenizer
) -> list[Prompt]:
    """One prompt per problem in the template, after its worked examples, which are taken of `shots` as `how` says.

    Raises ValueError when a prompt is longer than `max_prompt_tokens` times (shots + 1).
    """
    from rft.core.tokenization import Prompt, chat_format

    template = how.template
    frame = chat_format(tokenizer) if template.chat else None
    before = how.shots.before if how.shots is not None else lambda _, shown: list(shown)
    asked = (template.ask(one.question, shots=before(one, shots), chat_format=frame) for one in problems)
    prompts = [Prompt(text, framed=template.chat) for text in asked]
    count = min(len(shots), how.shots.num_shots) if how.shots is not None else len(shots)
    _check_lengths(prompts, tokenizer=tokenizer, limit=how.max_prompt_tokens * (1 + count))
    return prompts


def _check_lengths(prompts: Sequence[Prompt], *, tokenizer: Tokenizer, limit: int) -> None:
    from rft.core.tokenization import encode_prompts

    lengths = [len(ids) for ids in encode_prompts(tokenizer, prompts)]
    too_long = sum(length > limit for length in lengths)
    if too_long:
        raise ValueError(
            f"{too_long} of {len(prompts)} prompts exceed {limit} tokens (the longest has {max(lengths)}): "
            "raise data.max_prompt_tokens, or lower data.num_shots"
        )
