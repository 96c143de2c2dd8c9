"""The planner's vocabulary of models: bases and their loss, sets of examples, fine-tuning.

p.finetune(p.human_set())       # the cell's base, trained on its human subset
p.sft(donor)                    # the same of another model
"""

from __future__ import annotations

from typing import Any

from rft.config import (
    EpochRule,
    ModelConfig,
    ModelSource,
    OnTooLong,
    PretrainConfig,
    TrainConfig,
)
from rft.config.reading import note, unnoted, values_of, whole
from rft.plan.method import Task
from rft.plan.questions import Questions
from rft.plan.sharing import shared
from rft.plan.yields import (
    BYTES_PER_EXAMPLE,
    expected_kept,
    model_size,
)
from rft.stages.corpus import Corpus, Heldout
from rft.stages.finetune import Finetune, Lora, Recipe
from rft.stages.imported import Import
from rft.stages.loss import Loss
from rft.stages.pretrain import Pretrain
from rft.stages.problems import Subset
from rft.stages.stage import Work
from rft.stages.trainset import HumanSet, Trainset
from rft.stages.tuning import UNTUNED, Values
from rft.stages.weights import Weights
from rft.stages.within import WithinLimit
from rft.text.choosing import POLICY
from rft.text.prompts import OWN, content_of


class Training(Questions):
    """Bases, and what is made of them."""

    @shared
    def base(self, model: ModelConfig | None = None) -> Weights:
        """The base model of a configuration: pretrained here, or imported."""
        model = model or self.cfg.model
        size = model_size(model)
        if model.source is ModelSource.imported:
            identity = self.sources.models[model.name]
            note(model, "content", identity.digest)
            work = Work(num_bytes=4.0 * size.num_params)
            return Import(
                content=identity.digest, path=identity.path, label=f"import {model.name}", model=model.name, work=work
            )
        assert model.arch is not None
        assert model.pretrain is not None
        budget = model.pretrain.tokens
        return Pretrain(
            arch=whole(model.arch),
            recipe=whole(model.pretrain),
            seed=self.cfg.pretrain_seed,
            corpus=self._corpus(model.pretrain),
            numerics=self.cfg.numerics.value,
            label=f"pretrain {model.name} on {budget:,} tokens",
            model=model.name,
            work=Work(budget, 6.0 * size.num_params * budget, 4.0 * size.num_params),
        )

    @property
    def corpus_seed(self) -> int:
        """Seed of the documents that a base is pretrained on: the base's own unless one is given."""
        given = self.cfg.corpus_seed
        return self.cfg.pretrain_seed if given is None else given

    @shared
    def _corpus(self, recipe: PretrainConfig) -> Corpus:
        assert self.cfg.data.world is not None
        num_tokens = recipe.tokens
        return Corpus(
            world=values_of(self.cfg.data.world, leave_out=("human_style",)),
            num_tokens=num_tokens,
            seed=self.corpus_seed,
            singles=recipe.num_singles,
            determined=recipe.determined_weight != 1.0,
            label=f"corpus {num_tokens:,} tokens",
            work=Work(num_tokens, 0.0, 2.0 * num_tokens),
        )

    @shared
    def _heldout(self) -> Heldout:
        assert self.cfg.data.world is not None
        world, count = values_of(self.cfg.data.world, leave_out=("human_style",)), self.cfg.loss.max_tokens
        return Heldout(world=world, num_tokens=count, label=f"held-out slice of {count:,} tokens", work=Work(count))

    @shared
    def loss(self, base: Weights) -> Loss:
        """Measured pretraining loss of the cell's base on one held-out text."""
        cfg = self.cfg
        heldout = self._heldout() if isinstance(base, Pretrain) else None
        content = None if heldout else self.sources.data_digest["loss"]
        if content is not None:
            note(cfg, "loss.content", content)
        flops = 2.0 * model_size(cfg.model).num_params * cfg.loss.max_tokens
        return Loss(
            base=base,
            heldout=heldout,
            content=content,
            max_tokens=cfg.loss.max_tokens,
            window=cfg.loss.window,
            dtype=cfg.loss.dtype,
            numerics=cfg.numerics.value,
            path="" if heldout else self.sources.data_paths["loss"],
            label=f"loss of {base.model}",
            model=base.model,
            work=Work(cfg.loss.max_tokens, flops),
        )

    @property
    def examples_frac(self) -> float:
        """Share of the examples that the cell's own fine-tuning uses."""
        return self.cfg.train.examples_frac

    @shared
    def human_set(self, subset: Subset | None = None, *, examples_frac: float = 1.0) -> HumanSet:
        """The human paths of a subset, by default the cell's."""
        return HumanSet(
            subset=subset or self.human,
            examples_frac=examples_frac,
            **self.trainset_estimates("sft", subset or self.human),
        )

    def trainset_estimates(
        self, name: str, subset: Subset, *, added: float = 0.0, assumed: bool = False, k: int | None = None
    ) -> dict[str, Any]:
        """Label, size and work of a set of examples whose method is called `name`."""
        count = subset.num_problems + added
        draws = "" if k is None else f" k={k}"
        return {
            "label": f"examples {name} {unnoted(self.cfg).data_frac:g}{draws}",
            "expected_reference": count,
            "work": Work(num_bytes=BYTES_PER_EXAMPLE * count, assumed=assumed),
        }

    def matched_estimates(self, name: str) -> dict[str, Any]:
        """The same for a set that adds as many examples as a selection kept paths."""
        cfg = unnoted(self.cfg)
        added = self.expected_kept(self.human, draws=cfg.k * max(1, len(cfg.union)))
        if cfg.select.choose != POLICY and cfg.select.budget is not None:
            added = min(added, cfg.select.budget)
        return self.trainset_estimates(name, self.human, added=added, assumed=True, k=cfg.k)

    def finetune(
        self,
        trainset: Trainset,
        *,
        model: ModelConfig | None = None,
        task: Task | None = None,
        values: Values = UNTUNED,
        start: Weights | None = None,
        suffix: str = "",
    ) -> Finetune:
        """The base (or `start`) trained on a set of examples, with the cell's recipe but for `values` of its fields."""
        model = model or self.cfg.model
        task = task or self.task(model)
        recipe = self.recipe(model, values=values)
        data, size = unnoted(self.cfg).data, model_size(model)
        base, how = self.base(model), self._on_too_long
        if how is OnTooLong.drop:
            trainset = WithinLimit.of(
                trainset, base=base, prompt=task.prompt, own_template=task.template, max_tokens=recipe.max_tokens
            )
        tokens_each = data.expected_question_tokens + data.expected_solution_tokens
        tokens = recipe.epochs * trainset.expected_reference * trainset.trained_frac * tokens_each
        if recipe.max_steps is not None:
            tokens = min(tokens, recipe.max_steps * recipe.batch_size * tokens_each)
        flops_each = (6.0 if recipe.lora is None else 4.0) * size.num_params  # frozen weights take no gradient
        return Finetune(
            base=start or base,
            trainset=trainset,
            recipe=recipe,
            seed=self.train_seed,
            prompt=task.prompt,
            own_template=task.template,
            truncate=how is OnTooLong.truncate,
            numerics=self.cfg.numerics.value,
            label=f"finetune {model.name} {trainset.label.removeprefix('examples ')}{suffix}",
            model=model.name,
            work=Work(tokens, flops_each * tokens, 4.0 * size.num_params, trainset.work.assumed),
        )

    @property
    def _on_too_long(self) -> OnTooLong:
        """Noted where it is not the default: cells from before it existed keep their setting."""
        bare = unnoted(self.cfg).data.on_too_long
        return bare if bare is OnTooLong.error else self.cfg.data.on_too_long

    def train_of(self, model: ModelConfig) -> TrainConfig:
        """The recipe in force for one of the cell's models, without a donor's learning rate (which is its `lr`)."""
        return self.cfg.train if self.is_own(model) else self.cfg.donor_train.get(model.name, self.cfg.train)

    @shared
    def recipe(self, model: ModelConfig, *, values: Values) -> Recipe:
        """The cell's fine-tuning recipe for one of its models, with these values where given."""
        train = self.train_of(model)
        lora = None
        if train.lora_rank is not None:
            assert train.lora_alpha is not None, "filled in before anything is planned"
            lora = Lora(train.lora_rank, train.lora_alpha)
        rate = values.lr if values.lr is not None else train.lr if self.is_own(model) else model.lr
        assert rate is not None, "filled in before anything is planned"
        return Recipe(
            epochs=values.epochs if values.epochs is not None else self.epochs_of(train),
            batch_size=train.batch_size,
            lr=rate,
            warmup_frac=train.warmup_frac,
            schedule=train.schedule,
            weight_decay=train.weight_decay,
            grad_clip=train.grad_clip,
            max_tokens=train.max_tokens,
            max_steps=train.max_steps,
            dtype=train.dtype,
            lora=lora,
        )

    def epochs_of(self, train: TrainConfig) -> float:
        """Passes over the examples, under the epoch rule; on all the data the rules agree."""
        if self.cfg.data_frac < 1 and train.epoch_rule is EpochRule.per_fraction:
            return train.epochs / self.cfg.data_frac
        return train.epochs

    def sft(self, model: ModelConfig | None = None) -> Finetune:
        """A model fine-tuned on the cell's human subset."""
        return self.finetune(self.human_set(), model=model)

    def is_own(self, model: ModelConfig) -> bool:
        """Whether a model is the cell's own and not a donor."""
        return bool(model.name == self.cfg.model.name)

    @shared
    def task(self, model: ModelConfig | None = None) -> Task:
        """What a model is asked: to solve a question."""
        model = model or self.cfg.model
        prompt = self.cfg.data.prompt if self.is_own(model) else model.prompt
        assert prompt is not None, "filled in before anything is planned"
        own = unnoted(self.cfg).prompts.get(prompt)
        if own is not None:
            note(self.cfg.data if self.is_own(model) else model, "prompt_content", content_of(own))
        name = prompt if own is None else OWN
        return Task(name, self.cfg.data.max_prompt_tokens, self.cfg.data.max_new_tokens, own)

    def expected_kept(self, subset: Subset, *, draws: int) -> float:
        """Estimated number of kept paths."""
        return expected_kept(subset.num_problems, draws=draws, policy=unnoted(self.cfg).select.policy)
