"""A base model that is pretrained here: a Llama, from random weights, on the first tokens of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rft.config import ArchConfig, Optimizer, PretrainConfig
from rft.stages.corpus import Corpus
from rft.stages.stage import Done, Facts, StageContext, added
from rft.stages.weights import ModelFacts, Weights

if TYPE_CHECKING:
    from rft.core.batching import Step

GRAD_CLIP = 1.0


@dataclass(frozen=True)
class PretrainFacts(Facts):
    """What the record is told of a pretraining that ran out of memory."""

    base_micro_batch_halvings: int  # how often micro-batches were cut in two


@dataclass(frozen=True, eq=False, kw_only=True)
class Pretrain(Weights):
    """See the module."""

    kind: ClassVar[str] = "pretrain"
    trains: ClassVar[bool] = True
    arch: ArchConfig
    recipe: PretrainConfig
    seed: int
    corpus: Corpus
    numerics: str = added("native")

    def run(self, work: StageContext) -> Done:
        import numpy as np

        from rft.core.batching import packed_steps
        from rft.core.fitting import fit
        from rft.core.model import build_llama, forward_flops_per_token
        from rft.core.tokenization import load_tokenizer
        from rft.core.training import TrainSettings
        from rft.infra.devices import resolve_device

        corpus, recipe = work.open(self.corpus), self.recipe
        tokenizer = load_tokenizer(corpus.folder)
        model = build_llama(
            self.arch,
            vocab_size=len(tokenizer),
            seed=self.seed,
            eos_id=tokenizer.eos_token_id,
            pad_id=tokenizer.pad_token_id,
            numbers={index: int(token) for token, index in tokenizer.get_vocab().items() if token.isdecimal()},
        ).to(resolve_device(work.runtime.device))
        parts = _parts(recipe)
        settings = TrainSettings(
            num_steps=sum(part.num_steps for part in parts),
            lr=recipe.lr,
            warmup_frac=recipe.warmup_frac,
            schedule="cosine",
            weight_decay=recipe.weight_decay,
            grad_clip=GRAD_CLIP,
            beta2=recipe.beta2,
            matrix_lr=recipe.matrix_lr if recipe.optimizer is Optimizer.muon else None,
        )
        tokens = np.load(corpus.tokens, mmap_mode="r")
        weights = None
        if recipe.worked_weight != 1.0:
            weights = np.where(np.load(corpus.worked), np.float32(recipe.worked_weight), np.float32(1.0))

        def steps_from(first: int) -> Iterator[Step]:
            for part in parts:
                yield from packed_steps(
                    tokens[part.start : part.end + 1],
                    sequence=recipe.sequence,
                    batch_tokens=recipe.batch_tokens,
                    num_steps=part.num_steps,
                    seed=self.seed,
                    micro_batch_tokens=work.runtime.micro_batch_tokens,
                    weights=None if weights is None else weights[part.start : part.end + 1],
                    first=min(first, part.num_steps),
                )
                first = max(0, first - part.num_steps)

        flops_each = 3 * forward_flops_per_token(model)
        fitted = fit(
            model,
            steps_from,
            tokenizer=tokenizer,
            settings=settings,
            seed=self.seed,
            out=work.out,
            upkeep=self.upkeep(
                work,
                rate_key="model.pretrain.lr",
                flops_per_step=flops_each * recipe.batch_tokens,
                whole_matrices=recipe.optimizer is Optimizer.muon,
            ),
        )
        ModelFacts.of(model).write(work.out)
        tokens_seen, halvings = fitted.result.target_tokens, fitted.result.halvings
        facts = PretrainFacts(halvings) if halvings else None
        return Done(tokens_seen, flops_each * tokens_seen, facts, fitted.earlier_s)


@dataclass(frozen=True)
class _Part:
    """Tokens that are trained on in an order of their own, and in how many steps."""

    start: int
    end: int  # of its inputs; one more token is its last target
    num_steps: int


def _parts(recipe: PretrainConfig) -> list[_Part]:
    """The one-step documents, where there are some, and all others."""
    border = recipe.num_singles
    spans = [(0, border), (border, recipe.tokens)] if border else [(0, recipe.tokens)]
    return [_Part(start, end, max(1, (end - start) // recipe.batch_tokens)) for start, end in spans]
