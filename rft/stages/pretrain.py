"""A base model that is pretrained here: a Llama, from random weights, on the first tokens of the corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rft.config import ArchConfig, Optimizer, PretrainConfig
from rft.stages.corpus import Corpus
from rft.stages.stage import Done, StageContext, added
from rft.stages.weights import ModelFacts, Weights

GRAD_CLIP = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Pretrain(Weights):
    """See the module."""

    kind: ClassVar[str] = "pretrain"
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
        num_steps = max(1, recipe.tokens // recipe.batch_tokens)
        settings = TrainSettings(
            num_steps=num_steps,
            lr=recipe.lr,
            warmup_frac=recipe.warmup_frac,
            schedule="cosine",
            weight_decay=recipe.weight_decay,
            grad_clip=GRAD_CLIP,
            beta2=recipe.beta2,
            matrix_lr=recipe.matrix_lr if recipe.optimizer is Optimizer.muon else None,
        )
        weights = None
        if recipe.determined_weight != 1.0:
            weights = np.where(np.load(corpus.determined), np.float32(recipe.determined_weight), np.float32(1.0))
        steps = packed_steps(
            np.load(corpus.tokens, mmap_mode="r"),
            sequence=recipe.sequence,
            batch_tokens=recipe.batch_tokens,
            num_steps=num_steps,
            seed=self.seed,
            micro_batch_tokens=work.runtime.micro_batch_tokens,
            weights=weights,
        )
        result = fit(
            model,
            steps,
            tokenizer=tokenizer,
            settings=settings,
            seed=self.seed,
            out=work.out,
            report=work.report,
            log=work.log,
            flops_per_step=3 * forward_flops_per_token(model) * recipe.batch_tokens,
        )
        ModelFacts.of(model).write(work.out)
        return Done(tokens=result.target_tokens, flops=3 * forward_flops_per_token(model) * result.target_tokens)
