"""Fine-tune a base model on a set of examples: SFT and RFT are this same stage (paper 3.2, 3.3).

Writes a Hugging Face folder, `curve.jsonl` (see rft.core.fitting) and `model_facts.json`. Loss is averaged over the
response tokens of a whole optimiser step; nothing is dropped out. With `lora`, adapters are trained and then merged,
so that the folder is a plain model.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rft.infra.manifest import MANIFEST_FILE, read_manifest
from rft.stages.stage import Done, Facts, StageContext, added, counted
from rft.stages.trainset import Trainset
from rft.stages.tuning import Tuning, Values
from rft.stages.weights import ModelFolder, Weights
from rft.text.prompts import asked_by
from rft.text.templates import Template

if TYPE_CHECKING:
    from rft.core.tokenization import Prompt, Tokenizer
    from rft.core.training import TrainSettings


@dataclass(frozen=True)
class Lora:
    """Adapters on every linear layer instead of all weights."""

    rank: int
    alpha: int
    targets: str = "all-linear"


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned."""

    epochs: float  # passes over the reference examples (rft.stages.trainset)
    batch_size: int  # examples per optimiser step
    lr: float  # peak
    warmup_frac: float
    schedule: str
    weight_decay: float
    grad_clip: float
    max_tokens: int
    max_steps: int | None = added(None)
    dtype: str = added("float32")  # of the products (autocast)
    lora: Lora | None = added(None)

    def with_values(self, values: Values) -> Recipe:
        """With the fields that were tuned in place of these."""
        changes: dict[str, Any] = values.given
        return dataclasses.replace(self, **changes)

    def num_steps(self, *, num_reference: int) -> int:
        """Optimiser steps of `epochs` passes over the reference number of examples, rounded up; capped by `max_steps`."""
        steps = max(1, math.ceil(self.epochs * num_reference / self.batch_size - 1e-9))
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def settings(self, *, num_steps: int) -> TrainSettings:
        """The settings of the training loop."""
        from rft.core.training import TrainSettings

        return TrainSettings(
            num_steps=num_steps,
            lr=self.lr,
            warmup_frac=self.warmup_frac,
            schedule=self.schedule,
            weight_decay=self.weight_decay,
            grad_clip=self.grad_clip,
            autocast=None if self.dtype == "float32" else self.dtype,
        )


@dataclass(frozen=True)
class TrainingFacts(Facts):
    """What was trained."""

    num_optimizer_steps: int
    target_tokens: int
    epochs_over_data: float
    lr: float
    num_trainable: int | None
    num_truncated: int | None = None  # examples that were cut behind the limit, where they are
    choice: dict[str, Any] | None = None  # where the recipe was chosen: how
    micro_batch_halvings: int | None = None  # where memory ran out: how often micro-batches were cut in two


@dataclass(frozen=True, eq=False, kw_only=True)
class Finetune(Weights):
    """See the module."""

    kind: ClassVar[str] = "finetune"
    trains: ClassVar[bool] = True
    version: ClassVar[int] = 2  # 2: without dropout, which models such as GPT-2 bring along
    base: Weights
    trainset: Trainset
    recipe: Recipe
    seed: int
    prompt: str
    numerics: str = added("native")
    truncate: bool = added(False)  # examples beyond the limit are cut behind it; else they are refused
    own_template: Template | None = added(None)  # of a user's file, by its content; None: the one that `prompt` names
    choice: Tuning | None = counted(None)  # of the recipe, in place of the values that it tunes
    epochs_times: float = added(1.0)  # passes for each of the choice's epochs
    tries: tuple[Finetune, ...] = added(())  # of the choice, where they are this very training: the chosen one is taken

    def run(self, work: StageContext) -> Done:
        choice = None if self.choice is None else work.open(self.choice)
        recipe = self.recipe
        if choice is not None:
            recipe = recipe.with_values(choice.facts.chosen.times(self.epochs_times))
        same = next((one for one in self.tries if one.recipe == recipe), None)
        if same is None:
            done = self._trained(recipe, work)
        else:
            done = _taken(work.open(same), out=work.out)
        assert isinstance(done.facts, TrainingFacts)
        how = None if choice is None else choice.facts.to_json()
        return dataclasses.replace(done, facts=dataclasses.replace(done.facts, choice=how))

    def _trained(self, recipe: Recipe, work: StageContext) -> Done:
        from rft.core.batching import example_steps
        from rft.core.context import check_examples, context_of, within
        from rft.core.fitting import fit
        from rft.core.lora import add_lora
        from rft.core.model import count_trainable, load_model, training_flops_per_token
        from rft.core.packing import check_packing
        from rft.core.tokenization import encode_examples, load_tokenizer
        from rft.infra.devices import resolve_device

        base, trainset = work.open(self.base), work.open(self.trainset)
        tokenizer = load_tokenizer(base.folder)
        shown = [(row.question, row.solution) for row in trainset.rows()]
        pairs = training_pairs(shown, asked_by(self.prompt, self.own_template), tokenizer)
        context = context_of(base.folder)
        limit = within(recipe.max_tokens, context) if self.truncate else recipe.max_tokens
        examples = encode_examples(tokenizer, pairs, max_tokens=limit, truncate=self.truncate)
        check_examples([len(example.ids) for example in examples], context=context)
        num_steps = sum(recipe.num_steps(num_reference=count) for count in trainset.references)
        device = (
            "cpu" if work.runtime.shard else resolve_device(work.runtime.device)
        )  # shards are taken there one by one
        model = load_model(base.folder, device=device, dtype="float32")
        if work.runtime.packing:
            check_packing(model, examples)
        if recipe.lora is not None:
            model = add_lora(model, **dataclasses.asdict(recipe.lora), seed=self.seed)
        num_trainable, flops_each = count_trainable(model), training_flops_per_token(model)
        mean_tokens = sum(len(example.ids) for example in examples) / len(examples)
        steps_from = functools.partial(
            example_steps,
            examples,
            batch_size=recipe.batch_size,
            num_steps=num_steps,
            seed=self.seed,
            micro_batch_tokens=work.runtime.micro_batch_tokens,
            packing=work.runtime.packing,
        )
        fitted = fit(
            model,
            lambda first: steps_from(first=first),
            tokenizer=tokenizer,
            settings=recipe.settings(num_steps=num_steps),
            seed=self.seed,
            out=work.out,
            upkeep=self.upkeep(work, rate_key="train.lr", flops_per_step=flops_each * recipe.batch_size * mean_tokens),
        )
        base.facts.write(work.out)
        passes = num_steps * recipe.batch_size / len(shown)
        num_cut = sum(example.is_cut for example in examples) if self.truncate else None
        facts = TrainingFacts(
            num_optimizer_steps=num_steps,
            target_tokens=fitted.result.target_tokens,
            epochs_over_data=passes,
            lr=recipe.lr,
            num_trainable=num_trainable,
            num_truncated=num_cut,
            micro_batch_halvings=fitted.result.halvings or None,
        )
        tokens = round(mean_tokens * recipe.batch_size * num_steps)
        return Done(tokens, flops_each * tokens, facts, fitted.earlier_s)


def _taken(model: ModelFolder, *, out: Path) -> Done:
    """A training that is finished already: its files, as hard links where the disk has them, and all that it found."""
    for path in model.folder.iterdir():
        if path.name == MANIFEST_FILE:
            continue
        try:
            os.link(path, out / path.name)
        except OSError:
            shutil.copyfile(path, out / path.name)
    made = read_manifest(model.folder)
    assert made is not None, "an input is finished"
    return Done(facts=TrainingFacts(**made.facts))


def training_pairs(
    shown: Sequence[tuple[str, str]], template: Template, tokenizer: Tokenizer
) -> list[tuple[Prompt, str]]:
    """(prompt, response) of every (question, solution) in a template."""
    from rft.core.tokenization import Prompt, chat_format

    frame = chat_format(tokenizer) if template.chat else None
    return [
        (Prompt(template.ask(asked, chat_format=frame), framed=template.chat), template.response(solution))
        for asked, solution in shown
    ]
