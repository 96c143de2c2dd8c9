"""The vocabulary in which methods plan: questions, bases, fine-tuning, pools, selection, evaluation, as stages.

    p = Planner(cfg, sources)
    sft = p.sft()                                                 # the cell's base, fine-tuned on its human subset
    pool = p.sample(sft, subset=p.questions, num_draws=cfg.k)     # k solutions to each question
    p.finetune(RftSet(subset=p.human, paths=p.select((pool,))))   # the base again, on human + kept

Every call gives the stage for what it is told, and reads the configuration for the rest: what is read is the cell's setting
(rft.config.reading). Nothing here touches a disk or a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar, cast

from rft.config import (
    DataKind,
    EpochRule,
    ModelConfig,
    ModelSource,
    OnFault,
    SampleFrom,
    Split,
    StudyConfig,
    WorldConfig,
)
from rft.config.reading import note, unnoted, values_of
from rft.core.sampling.engines import ENGINES
from rft.infra.digest import digest
from rft.plan.method import METHODS, Task
from rft.plan.sources import Sources
from rft.plan.yields import (
    BYTES_PER_EXAMPLE,
    BYTES_PER_PATH,
    BYTES_PER_PROBLEM,
    BYTES_PER_SAMPLE_TOKEN,
    expected_kept,
    model_size,
)
from rft.stages.allocate import AnyPool
from rft.stages.corpus import Corpus, Heldout
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import Finetune, Lora, Recipe
from rft.stages.generation import Generation, Shots
from rft.stages.imported import Import
from rft.stages.kept import Selection
from rft.stages.loss import Loss
from rft.stages.perturb import Perturb
from rft.stages.pretrain import Pretrain
from rft.stages.problems import FileProblems, Golds, Leakage, Part, Problems, Subset, WorldProblems
from rft.stages.select import Checks, Select
from rft.stages.shard import Pool, Shard
from rft.stages.stage import Work
from rft.stages.thin import Thin
from rft.stages.trainset import HumanSet, Trainset
from rft.stages.vote import Vote
from rft.stages.weights import Weights
from rft.text.answers import RULES
from rft.text.choosing import POLICY

Options = TypeVar("Options")


class Planner:
    """Plans the stages of one cell."""

    def __init__(self, cfg: StudyConfig, sources: Sources) -> None:
        """`cfg` with its defaults filled in (rft.plan.sources.filled_in), watched by whoever wants to know what is read."""
        self.cfg = cfg
        self.sources = sources

    # Options and seeds

    def options(self, kind: type[Options]) -> Options:
        """The options of the method that has this class of them: the cell's, or one that it rests on."""
        (name,) = (name for name, method in METHODS.items() if method.options is kind)
        return cast(Options, self.cfg.methods[name])

    @property
    def data_seed(self) -> int:
        """Of the human subset and of worked examples."""
        return _seed(self.cfg.data_seed)

    @property
    def train_seed(self) -> int:
        """Of the order of examples."""
        return _seed(self.cfg.train_seed)

    @property
    def sample_seed(self) -> int:
        """Of pools and of random choices among their paths."""
        return _seed(self.cfg.sample_seed)

    # Questions

    @cached_property
    def pool(self) -> Problems:
        """All human training problems, the validation split taken off."""
        if self.cfg.data.kind is DataKind.world:
            return self._world("train", count=self.cfg.data.num_pool)
        size = self.cfg.data.num_validation
        return self._part("train") if size else self._file("train")

    @cached_property
    def validation(self) -> Problems:
        """Problems held out of training for choices."""
        if self.cfg.data.kind is DataKind.world:
            return self._world("validation", count=self.cfg.data.num_validation)
        return self._part("validation")

    @cached_property
    def test(self) -> Problems:
        """The test set."""
        if self.cfg.data.kind is DataKind.world:
            return self._world("test", count=self.cfg.data.num_test)
        return self._file("test")

    @property
    def scored(self) -> Problems:
        """The split that is scored."""
        return self.validation if self.cfg.eval.split is Split.validation else self.test

    @property
    def num_scored(self) -> int:
        """Problems that are scored: the validation split, or the named prefix of the test set."""
        if self.cfg.eval.split is Split.validation:
            return self.cfg.data.num_validation
        return _size(self.cfg.data.eval_problems)

    @property
    def num_human(self) -> int:
        """Problems of the cell's human subset: data_frac of the full set, at least one."""
        return max(1, round(self.cfg.data_frac * _size(self.cfg.data.num_train)))

    @property
    def human(self) -> Subset:
        """The cell's human subset: the first of the order that `data_seed` gives (nested in the fraction)."""
        return Subset(self.pool, self.num_human, self.data_seed)

    @property
    def questions(self) -> Subset:
        """The questions that are sampled: of the subset, or of all the data."""
        return Subset(self.pool, _size(self.cfg.data.num_train), self.data_seed) if self.samples_all else self.human

    @property
    def samples_all(self) -> bool:
        """Whether questions outside the cell's fraction are sampled too; on all the data the choice means nothing."""
        return self.cfg.data_frac < 1 and self.cfg.sample_from is SampleFrom.all

    def _world(self, split: str, *, count: int | None) -> WorldProblems:
        assert self.cfg.data.world is not None
        world = WorldConfig(**values_of(self.cfg.data.world))
        size = Work(num_bytes=BYTES_PER_PROBLEM * _size(count))
        return WorldProblems(split=split, world=world, count=_size(count), label=f"{split} problems", work=size)

    def _file(self, split: str) -> FileProblems:
        data = self.cfg.data
        content = self.sources.data_digest[split]
        note(data, f"{split}_content", content)
        count = self.sources.num_test if split == "test" else self.sources.num_pool
        return FileProblems(
            split=split,
            content=content,
            limit=data.train_limit if split == "train" else data.test_limit,
            rule=data.rule if data.on_bad_gold is OnFault.drop else None,
            on_bad_gold=data.on_bad_gold.value,
            on_duplicate=data.on_duplicate.value,
            path=self.sources.data_paths[split],
            label=f"{split} problems of {unnoted(data).name}",
            work=Work(num_bytes=BYTES_PER_PROBLEM * count),
        )

    def _part(self, split: str) -> Part:
        whole, size = self._file("train"), self.cfg.data.num_validation
        return Part(split=split, whole=whole, num_validation=size, label=f"{split} part of {whole.label}")

    # Models

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
            arch=type(unnoted(model.arch))(**values_of(model.arch)),
            recipe=type(unnoted(model.pretrain))(**values_of(model.pretrain)),
            seed=self.cfg.pretrain_seed,
            corpus=self._corpus(budget),
            numerics=self.cfg.numerics.value,
            label=f"pretrain {model.name} on {budget:,} tokens",
            model=model.name,
            work=Work(budget, 6.0 * size.num_params * budget, 4.0 * size.num_params),
        )

    def _corpus(self, num_tokens: int) -> Corpus:
        assert self.cfg.data.world is not None
        return Corpus(
            world=values_of(self.cfg.data.world, leave_out=("human_style",)),
            num_tokens=num_tokens,
            label=f"corpus {num_tokens:,} tokens",
            work=Work(num_tokens, 0.0, 2.0 * num_tokens),
        )

    def _heldout(self) -> Heldout:
        assert self.cfg.data.world is not None
        world, count = values_of(self.cfg.data.world, leave_out=("human_style",)), self.cfg.loss.max_tokens
        return Heldout(world=world, num_tokens=count, label=f"held-out slice of {count:,} tokens", work=Work(count))

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
            numerics=cfg.numerics.value,
            path="" if heldout else self.sources.data_paths["loss"],
            label=f"loss of {base.model}",
            model=base.model,
            work=Work(cfg.loss.max_tokens, flops),
        )

    # Training

    @property
    def examples_frac(self) -> float:
        """Share of the examples that the cell's own fine-tuning uses."""
        return self.cfg.train.examples_frac

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
        epochs: float | None = None,
        start: Weights | None = None,
        suffix: str = "",
    ) -> Finetune:
        """The base (or `start`) trained on a set of examples, with the cell's recipe."""
        model = model or self.cfg.model
        recipe = self.recipe(model, epochs=self.epochs if epochs is None else epochs)
        data, size = unnoted(self.cfg).data, model_size(model)
        tokens_each = data.expected_question_tokens + data.expected_solution_tokens
        tokens = recipe.epochs * trainset.expected_reference * trainset.examples_frac * tokens_each
        if recipe.max_steps is not None:
            tokens = min(tokens, recipe.max_steps * recipe.batch_size * tokens_each)
        flops_each = (6.0 if recipe.lora is None else 4.0) * size.num_params  # frozen weights take no gradient
        return Finetune(
            base=start or self.base(model),
            trainset=trainset,
            recipe=recipe,
            seed=self.train_seed,
            prompt=(task or self.task(model)).prompt,
            numerics=self.cfg.numerics.value,
            label=f"finetune {model.name} {trainset.label.removeprefix('examples ')}{suffix}",
            model=model.name,
            work=Work(tokens, flops_each * tokens, 4.0 * size.num_params, trainset.work.assumed),
        )

    def recipe(self, model: ModelConfig, *, epochs: float) -> Recipe:
        """The cell's fine-tuning recipe for one of its models."""
        train = self.cfg.train
        lora = None
        if train.lora_rank is not None:
            assert train.lora_alpha is not None, "filled in before anything is planned"
            lora = Lora(train.lora_rank, train.lora_alpha)
        rate = train.lr if self.is_own(model) else model.lr
        assert rate is not None, "filled in before anything is planned"
        return Recipe(
            epochs=epochs,
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

    @property
    def epochs(self) -> float:
        """Passes over the examples, under the epoch rule; on all the data the rules agree."""
        if self.cfg.data_frac < 1 and self.cfg.train.epoch_rule is EpochRule.per_fraction:
            return self.cfg.train.epochs / self.cfg.data_frac
        return self.cfg.train.epochs

    def sft(self, model: ModelConfig | None = None) -> Finetune:
        """A model fine-tuned on the cell's human subset."""
        return self.finetune(self.human_set(), model=model)

    def is_own(self, model: ModelConfig) -> bool:
        """Whether a model is the cell's own and not a donor."""
        return bool(model.name == self.cfg.model.name)

    # Sampling

    @property
    def donors(self) -> list[ModelConfig]:
        """The models whose samples are pooled: the union's as listed, or the model itself."""
        return [self.cfg.donors[name] for name in self.cfg.union] if self.cfg.union else [self.cfg.model]

    def task(self, model: ModelConfig | None = None) -> Task:
        """What a model is asked: to solve a question."""
        model = model or self.cfg.model
        prompt = self.cfg.data.prompt if self.is_own(model) else model.prompt
        assert prompt is not None, "filled in before anything is planned"
        return Task(prompt, self.cfg.data.max_prompt_tokens, self.cfg.data.max_new_tokens)

    def generation(
        self,
        *,
        model: ModelConfig | None = None,
        task: Task | None = None,
        shots: Shots | None = None,
        name: str = "",
    ) -> Generation:
        """What decides a text that a model writes."""
        model = model or self.cfg.model
        task = task or self.task(model)
        engine = self._engine(model)
        return Generation(
            model=name or model.name,
            engine=engine,
            dtype=self.cfg.sampling.dtype,
            prompt=task.prompt,
            max_prompt_tokens=task.max_prompt_tokens,
            max_new_tokens=task.max_new_tokens,
            stop=tuple(self.cfg.sampling.stop),
            shots=shots,
            numerics=self.cfg.numerics.value,
            plugins=ENGINES.foreign(engine),
        )

    def _engine(self, model: ModelConfig) -> str:
        engine = self.sources.engines[model.name]
        if self.is_own(model):
            note(self.cfg, "sampling.engine", engine)
        else:
            note(model, "engine", engine)
        return engine

    def sample(
        self,
        weights: Weights,
        *,
        subset: Subset,
        num_draws: int,
        temperature: float | None = None,
        model: ModelConfig | None = None,
        task: Task | None = None,
        shots: Shots | None = None,
        drafts: Evaluate | None = None,
        name: str = "",
    ) -> Pool:
        """`num_draws` solutions to every question of a subset, as shards: fixed blocks of problems by fixed blocks of draws.

        Each shard has its own seed and composition, so that asking for more draws, fewer, or in another order changes none.
        `name` sets pools apart that models of one base draw, and stands in their samples (the rounds of expert iteration).
        """
        model = model or self.cfg.model
        generation = self.generation(model=model, task=task, shots=shots, name=name)
        if temperature is None:
            temperature = self.cfg.temperature
        shards = tuple(
            self._shard(
                weights,
                model=model,
                subset=subset,
                block=block,
                draws=draws,
                generation=generation,
                temperature=temperature,
                stream=self.random_stream(model, name),
                drafts=drafts,
            )
            for draws in _blocks(num_draws, self.cfg.sampling.draws_per_shard, whole=True)
            for block in _blocks(subset.num_problems, self.cfg.sampling.problems_per_shard, whole=False)
        )
        return Pool(name or model.name, shards, num_draws)

    def _shard(
        self, weights: Weights, *, model: ModelConfig, block: tuple[int, int], draws: tuple[int, int], **identity: Any
    ) -> Shard:
        data, split = unnoted(self.cfg).data, identity["subset"].source.split
        count = (block[1] - block[0]) * (draws[1] - draws[0])
        tokens = count * data.expected_solution_tokens
        flops_each = (
            2.0 * model_size(model).num_params * (data.expected_solution_tokens + data.expected_question_tokens)
        )
        return Shard(
            weights=weights,
            block=block,
            draws=draws,
            top_p=self.cfg.sampling.top_p,
            seed=self.sample_seed,
            **identity,
            label=f"sample {model.name} {split} {block[0]}-{block[1]} draw {draws[0]}+{draws[1] - draws[0]}",
            model=model.name,
            work=Work(tokens, count * flops_each, BYTES_PER_SAMPLE_TOKEN * tokens),
        )

    def random_stream(self, model: ModelConfig, name: str = "") -> str:
        """Which stream of random numbers samples from a base take: donors with one stream would draw alike.

        From what the base is and not from a stage's key, so that it stays when stages are cut otherwise.
        """
        if model.source is ModelSource.imported:
            parts: list[Any] = ["stream", self.sources.models[model.name].digest]
        else:
            parts = ["stream", values_of(model.arch), values_of(model.pretrain), self.cfg.pretrain_seed]
        return digest([*parts, name] if name else parts)

    # Selection

    @property
    def checks(self) -> Checks:
        """What the cell's configuration keeps."""
        select, rule = self.cfg.select, self.cfg.data.rule
        return Checks(
            policy=select.policy,
            count_human=select.count_human,
            tolerance=select.tolerance,
            check_equations=select.check_equations,
            equations=select.equations,
            rule=rule,
            cap=select.cap,
            tie_break=select.tie_break,
            plugins=RULES.foreign(rule),
        )

    def select(
        self, pools: tuple[AnyPool, ...], *, subset: Subset | None = None, checks: Checks | None = None
    ) -> Select:
        """The correct and distinct solutions of the pools, in the order in which they are listed."""
        subset = subset or self.questions
        kept = self.expected_kept(subset, draws=sum(pool.num_draws for pool in pools))
        return Select(
            pools=pools,
            subset=subset,
            checks=checks or self.checks,
            seed=self.sample_seed,
            guards=self.golds(subset.source),
            label=f"select k={pools[0].num_draws}",
            work=Work(num_bytes=BYTES_PER_PATH * kept, assumed=True),
        )

    def expected_kept(self, subset: Subset, *, draws: int) -> float:
        """Estimated number of kept paths."""
        return expected_kept(subset.num_problems, draws=draws, policy=unnoted(self.cfg).select.policy)

    def thin(self, paths: Select, *, like: Selection) -> Thin:
        """A selection cut to as many paths as another kept."""
        label = f"thin {paths.label}"
        return Thin(paths=paths, like=like, subset=paths.subset, seed=self.sample_seed, label=label, work=paths.work)

    # Scores

    def shots(self) -> Shots | None:
        """Worked examples before each question, from the training problems."""
        count = self.cfg.data.num_shots
        return Shots(self.pool, count, self.data_seed) if count else None

    def evaluate(
        self,
        weights: Weights,
        *,
        problems: Problems | None = None,
        num_problems: int | None = None,
        task: Task | None = None,
        shots: Shots | None = None,
        drafts: Evaluate | None = None,
    ) -> Evaluate:
        """Greedy maj1@1 on the split that is scored (or on `problems`), with per-problem outcomes."""
        own = problems is None
        problems = self.scored if problems is None else problems
        count = self.num_scored if num_problems is None else num_problems
        data = unnoted(self.cfg).data
        tokens = count * data.expected_solution_tokens
        asked = count * data.expected_question_tokens * (1 + (shots.num_shots if shots else 0))
        return Evaluate(
            weights=weights,
            generation=self.generation(task=task, shots=shots),
            problems=problems,
            num_problems=count,
            rule=self.cfg.data.rule,
            drafts=drafts,
            guards=self.guards if own else (),
            plugins=RULES.foreign(self.cfg.data.rule),
            label=f"evaluate {weights.label} on {_name(problems)}",
            model=weights.model,
            work=Work(
                tokens, 2.0 * model_size(self.cfg.model).num_params * (tokens + asked), BYTES_PER_SAMPLE_TOKEN * tokens
            ),
        )

    @property
    def guards(self) -> tuple[Leakage | Golds, ...]:
        """Checks of files before scores: no question of the training file is a test question, the rule reads the golds.

        The world's splits are apart, and its golds plain, as they are made.
        """
        if self.cfg.data.kind is DataKind.world:
            return ()
        leakage = (Leakage(train=self._file("train"), test=self.test, label="leakage"),)
        return (*(leakage if self.cfg.eval.split is Split.test else ()), *self.golds(self.scored))

    def golds(self, problems: Problems) -> tuple[Golds, ...]:
        """The check that the cell's rule reads the golds of problems from files."""
        if self.cfg.data.kind is DataKind.world:
            return ()
        rule = self.cfg.data.rule
        return (
            Golds(problems=(problems,), rule=rule, plugins=RULES.foreign(rule), label=f"golds of {problems.label}"),
        )

    def perturb(self) -> Perturb:
        """A numbers-changed copy of the problems that are scored."""
        seed, originals, count = self.cfg.eval.perturbed_seed, self.scored, self.num_scored
        assert seed is not None
        label, size = f"numbers changed in {originals.split}", Work(num_bytes=BYTES_PER_PROBLEM * count)
        return Perturb(
            split=originals.split, originals=originals, num_problems=count, seed=seed, label=label, work=size
        )

    def vote(self, weights: Weights, *, task: Task | None, shots: Shots | None, drafts: Evaluate | None) -> Vote:
        """Outcomes of K sampled solutions per problem that is scored: majority voting and pass@k."""
        k, problems, count = self.cfg.eval.vote_k, self.scored, self.num_scored
        assert k is not None
        pool = self.sample(
            weights,
            subset=Subset(problems, count, None),
            num_draws=k,
            temperature=self.cfg.eval.vote_temperature,
            task=task,
            shots=shots,
            drafts=drafts,
        )
        return Vote(
            problems=problems,
            num_problems=count,
            pool=pool,
            rule=self.cfg.data.rule,
            plugins=RULES.foreign(self.cfg.data.rule),
            label=f"vote K={k}",
            work=Work(num_bytes=100.0 * count),
        )


def _name(problems: Problems) -> str:
    return f"{problems.split}, numbers changed" if isinstance(problems, Perturb) else problems.split


def _seed(seed: int | None) -> int:
    assert seed is not None, "filled in before anything is planned (rft.plan.sources.filled_in)"
    return seed


def _size(count: int | None) -> int:
    assert count is not None, "filled in before anything is planned (rft.plan.sources.filled_in)"
    return count


def _blocks(total: int, size: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """(first, last) of blocks of `size` that cover `total`; with `whole` the last may reach beyond it."""
    for first in range(0, total, size):
        yield first, first + size if whole else min(first + size, total)
