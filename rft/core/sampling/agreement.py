"""Whether a converted model computes what transformers computes: one fixed text read and continued by both.

    agreement = measure_agreement(converted, model, tokenizer, context=512, threads=1)
    agreement                    # Agreement(num_tokens=256, gap_nats=1.9e-05)
    agreement.check(folder)      # ValueError above TOLERANCE_NATS, which names the gap and what to do

CTranslate2 drops what its converter does not know (scaled rotary positions, another activation) without an error. The text
is pseudo-random and long enough for far positions to count, its end is decoded greedily with the cache as in sampling, and
the log probabilities of the whole vocabulary are compared there. Both sides compute in float32 on the CPU whatever type is
sampled in: this asks for the function, and rounding would only hide it. No random stream of the engine is touched.

Shapes: T compared positions, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rft.core.model import Model
from rft.core.seeding import numpy_generator
from rft.core.tokenization import Tokenizer

NUM_TOKENS = 256  # of the text, or the whole context where that is shorter
NUM_DECODED = 16  # of them at its end
TOLERANCE_NATS = (
    1e-3  # measured: 1e-6 to 2e-5 on tiny models, 4e-5 on SmolLM2-135M, 0.3 to 9 where another function is computed
)
SUPPRESSED = -1e30  # logits below it: the engine bars the end of sequence, to decode to the end of the text


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison."""

    num_tokens: int  # of the text
    gap_nats: float  # largest difference of a log probability

    def check(self, model_folder: Path) -> None:
        """Raise ValueError when the two compute different functions."""
        if not self.gap_nats <= TOLERANCE_NATS:
            raise ValueError(
                f"CTranslate2 does not compute {model_folder} as transformers does: log probabilities differ by up to "
                f"{self.gap_nats:.2g} nats on {self.num_tokens} tokens, {TOLERANCE_NATS:g} is allowed; use "
                "sampling.engine=torch"
            )


def measure_agreement(
    converted: Path, model: Model, tokenizer: Tokenizer, *, context: int | None, threads: int
) -> Agreement:
    """Compare a converted folder with the float32 model on the CPU that it was made from."""
    num_tokens = min(NUM_TOKENS, context or NUM_TOKENS)
    num_decoded = min(NUM_DECODED, num_tokens // 2)
    prompt = _text(tokenizer, num_tokens - num_decoded, vocabulary=model.get_input_embeddings().num_embeddings)
    decoded, logits_TV = _decode(
        converted, tokenizer.convert_ids_to_tokens(prompt), num_tokens=num_decoded, threads=threads
    )
    with torch.inference_mode():
        all_logits = model(torch.tensor([[*prompt, *decoded]]), use_cache=False).logits[0].float()
    expected_TV = all_logits[len(prompt) - 1 : -1, : logits_TV.shape[1]]
    barred_TV = logits_TV < SUPPRESSED
    gap_TV = _log_probs(logits_TV, barred_TV) - _log_probs(expected_TV, barred_TV)
    return Agreement(num_tokens, float(gap_TV[~barred_TV].abs().max()))


def _text(tokenizer: Tokenizer, count: int, *, vocabulary: int) -> list[int]:
    """The same ids for the same vocabulary, always."""
    known = sorted(number for number in tokenizer.get_vocab().values() if number < vocabulary)
    drawn: list[int] = numpy_generator(0, "agreement").choice(known, size=count).tolist()
    return drawn


def _decode(converted: Path, tokens: list[str], *, num_tokens: int, threads: int) -> tuple[list[int], torch.Tensor]:
    """What CTranslate2 greedily adds to the text, and its logits (T, V) for each added token."""
    import ctranslate2

    generator = ctranslate2.Generator(
        str(converted), device="cpu", compute_type="float32", inter_threads=1, intra_threads=threads
    )
    options: dict[str, Any] = {"beam_size": 1, "sampling_topk": 1, "include_prompt_in_result": False}
    result = generator.generate_batch(
        [tokens], max_length=num_tokens, min_length=num_tokens, return_logits_vocab=True, **options
    )[0]
    return result.sequences_ids[0], torch.from_numpy(np.stack([np.array(logits) for logits in result.logits[0]]))


def _log_probs(logits_TV: torch.Tensor, barred_TV: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(logits_TV.masked_fill(barred_TV, -torch.inf), -1)
