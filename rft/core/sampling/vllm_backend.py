"""vLLM engine: an adapter for GPUs, written against vLLM 0.10's offline API (`LLM`, `SamplingParams`).

Every (prompt, draw) is a request of its own with its own seed, so that samples do not depend on what shares the batch;
the shared prompt costs little thanks to prefix caching. Not run by the tests, which have no GPU.

    sampler = VllmSampler(folder, dtype="bfloat16")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rft.core.checkpoints import check_folder
from rft.core.sampling.base import OnSolutions, Solution, check_request, end_ids, finish
from rft.core.seeding import derive_seed
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer


class VllmSampler:
    """A model opened in vLLM. Raises ValueError when vLLM is not installed."""

    def __init__(self, model_folder: Path, *, dtype: str) -> None:
        check_folder(model_folder)
        try:
            from vllm import LLM
        except ImportError as error:
            raise ValueError(
                "sampling.engine=vllm needs vLLM, which is not installed: pip install '.[vllm]'"
            ) from error
        self._tokenizer = load_tokenizer(model_folder)
        self._ends = end_ids(model_folder, self._tokenizer)
        self._llm = LLM(
            model=str(model_folder),
            dtype=dtype,
            enable_prefix_caching=True,
            trust_remote_code=False,
            generation_config="vllm",  # not the model's own top_k, top_p, repetition_penalty: the study's settings alone
        )

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        num_draws: int,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str],
        seed: int,
        progress: OnSolutions | None = None,
    ) -> list[list[Solution]]:
        """See `rft.core.sampling.base.Sampler`. Progress is reported once, at the end."""
        from vllm import SamplingParams

        ids = encode_prompts(self._tokenizer, prompts)
        check_request(ids, num_draws=num_draws, temperature=temperature, top_p=top_p)
        requests = [{"prompt_token_ids": row} for row in ids for _ in range(num_draws)]
        params = [
            SamplingParams(
                n=1,  # with more, outputs of one request share a seed and come back in an order of the engine's
                temperature=temperature,
                top_p=top_p,
                top_k=0,
                min_p=0.0,
                repetition_penalty=1.0,
                presence_penalty=0.0,
                frequency_penalty=0.0,
                max_tokens=max_new_tokens,
                seed=derive_seed(seed, f"{problem}/{draw}") % 2**31,
                stop=list(stop) or None,
                include_stop_str_in_output=True,
                stop_token_ids=self._ends,
            )
            for problem in range(len(prompts))
            for draw in range(num_draws)
        ]
        outputs = self._llm.generate(requests, params, use_tqdm=False)
        rows = [list(output.outputs[0].token_ids) for output in outputs]
        flat = finish(self._tokenizer, rows, ends=self._ends, stop=stop)
        if progress is not None:
            progress(len(flat), len(flat), [(at // num_draws, one) for at, one in enumerate(flat)])
        return [flat[i * num_draws : (i + 1) * num_draws] for i in range(len(prompts))]

    def close(self) -> None:
        """Drop the engine; vLLM frees the GPU when the object dies."""
        del self._llm
