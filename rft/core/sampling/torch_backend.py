"""Torch engine: the reference, for any causal language model that transformers can load.

    sampler = TorchSampler(folder, device="cpu", threads=1, dtype="float32", batch=64)

Prompts are padded on the left WITH a mask and positions that start at the first real token: a published checkpoint lost 20
points to unmasked left padding. A prompt is read once for all its draws, and finished rows leave the batch. The uniform
number behind each token is fixed by (seed, prompt, draw, position), so batching cannot change which one a token gets. So
where memory runs out, a batch is cut in two and tried again.

Shapes: B rows (prompt, draw), T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rft.core.accumulation import is_out_of_memory
from rft.core.model import load_model
from rft.core.sampling.base import OnSolutions, Solution, check_request, end_ids, finish, first_stop
from rft.core.seeding import derive_seed
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer

DEFAULT_BATCH = 64  # rows at once
STOP_EVERY = 8  # steps between looks for stop strings
LOOK_EVERY = 8  # steps between looks for finished rows on a GPU, which stands still while it is asked
KEEP_SHARE = 0.75  # rows leave the batch once fewer than this share is unfinished


class TorchSampler:
    """A model opened in transformers."""

    def __init__(self, model_folder: Path, *, device: str, threads: int, dtype: str, batch: int | None = None) -> None:
        self._model = load_model(model_folder, device=device, dtype=dtype).eval()
        self._tokenizer = load_tokenizer(model_folder)
        self._ends = end_ids(model_folder, self._tokenizer)
        self._batch = batch or DEFAULT_BATCH
        if device == "cpu":
            torch.set_num_threads(threads)

    @torch.inference_mode()
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
        """See `rft.core.sampling.base.Sampler`."""
        ids = encode_prompts(self._tokenizer, prompts)
        check_request(ids, num_draws=num_draws, temperature=temperature, top_p=top_p)
        solutions: list[list[Solution]] = [[] for _ in prompts]
        order = sorted(range(len(prompts)), key=lambda number: -len(ids[number]))
        while order:
            chosen = order[: max(1, self._batch // num_draws)]
            uniform = _uniform(chosen, num_draws=num_draws, length=max_new_tokens, seed=seed)
            rows = self._tried([ids[i] for i in chosen], uniform, stop=stop, temperature=temperature, top_p=top_p)
            if rows is None:
                self._batch = max(1, len(uniform) // 2)  # for what comes after too
                continue
            del order[: len(chosen)]
            flat = finish(self._tokenizer, rows, ends=self._ends, stop=stop)
            for place, number in enumerate(chosen):
                solutions[number] = flat[place * num_draws : (place + 1) * num_draws]
            if progress is not None:
                fresh = [(number, one) for number in chosen for one in solutions[number]]
                progress((len(prompts) - len(order)) * num_draws, num_draws * len(prompts), fresh)
        return solutions

    def _tried(
        self, prompts: Sequence[Sequence[int]], uniform: torch.Tensor, *, stop: Sequence[str], **choice: float
    ) -> list[list[int]] | None:
        """Generated ids of a batch; None where memory ran out and the batch can be cut. What it held is free on return."""
        try:
            decoding = _Decoding(self._model, self._tokenizer, ends=self._ends, stop=stop)
            return decoding.run(prompts, uniform=uniform, **choice)
        except Exception as error:
            if len(prompts) == 1 or not is_out_of_memory(error):
                raise
        return None

    def close(self) -> None:
        """Drop the model, and leave its memory to the processes that share the GPU."""
        is_on_gpu = self._model.device.type == "cuda"
        del self._model
        if is_on_gpu:
            torch.cuda.empty_cache()


def left_padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask (1 = real) and positions (0 at the first real token) of prompts padded on the left, each (B, T) int64."""
    width = max(len(row) for row in rows)
    ids_BT = torch.zeros((len(rows), width), dtype=torch.int64)
    mask_BT = torch.zeros_like(ids_BT)
    for number, row in enumerate(rows):
        ids_BT[number, width - len(row) :] = torch.tensor(row, dtype=torch.int64)
        mask_BT[number, width - len(row) :] = 1
    return ids_BT, mask_BT, (mask_BT.cumsum(-1) - 1).clamp_(min=0)


def choose(logits_BV: torch.Tensor, *, uniform_B: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """The next token of every row (B,): greedy at temperature 0, else by inverting the cumulative distribution."""
    if temperature == 0:
        return logits_BV.argmax(-1)
    probs_BV = torch.softmax(logits_BV.float() / temperature, -1)
    if top_p < 1:
        probs_BV = _nucleus(probs_BV, top_p)
    cumulative_BV = probs_BV.cumsum(-1, dtype=torch.float64)
    goal_B1 = uniform_B[:, None] * cumulative_BV[:, -1:]
    return torch.searchsorted(cumulative_BV, goal_B1, right=True).squeeze(1).clamp_(max=logits_BV.shape[-1] - 1)


def _nucleus(probs_BV: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero but for the smallest set of likeliest tokens that holds at least `top_p` of the probability."""
    ordered_BV, index_BV = probs_BV.sort(-1, descending=True)
    before_BV = ordered_BV.cumsum(-1) - ordered_BV
    return torch.zeros_like(probs_BV).scatter_(-1, index_BV, ordered_BV.masked_fill(before_BV >= top_p, 0.0))


def _uniform(chosen: Sequence[int], *, num_draws: int, length: int, seed: int) -> torch.Tensor:
    """Uniform numbers (rows, length), float64; a row's come from (seed, prompt, draw) alone."""
    rows = []
    for prompt in chosen:
        for draw in range(num_draws):
            generator = torch.Generator().manual_seed(derive_seed(seed, f"{prompt}/{draw}"))
            rows.append(torch.rand(length, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


class _Decoding:
    """One batch from prompts to generated ids."""

    def __init__(self, model: Any, tokenizer: Any, *, ends: Sequence[int], stop: Sequence[str]) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._ends, self._stop = torch.tensor(ends, device=model.device), stop

    def run(
        self, prompts: Sequence[Sequence[int]], *, uniform: torch.Tensor, temperature: float, top_p: float
    ) -> list[list[int]]:
        """Generated ids of every row, anything after the end left in."""
        device = self._model.device
        look_every = LOOK_EVERY if device.type == "cuda" else 1
        num_rows, length = uniform.shape
        draws = num_rows // len(prompts)
        uniform = uniform.to(device)
        ids_BT, mask_BT, positions_BT = (tensor.to(device) for tensor in left_padded(prompts))
        out = self._model(
            input_ids=ids_BT, attention_mask=mask_BT, position_ids=positions_BT, use_cache=True, logits_to_keep=1
        )
        cache = out.past_key_values
        if draws > 1:
            cache.batch_repeat_interleave(draws)
        logits_BV = out.logits[:, -1].repeat_interleave(draws, 0)
        mask_BT, position_B = mask_BT.repeat_interleave(draws, 0), positions_BT[:, -1].repeat_interleave(draws, 0)
        alive_B = torch.arange(num_rows, device=device)
        unfinished_B = torch.ones(num_rows, dtype=torch.bool, device=device)
        result = torch.full((num_rows, length), int(self._ends[0]), device=device)
        for step in range(length):
            token_B = choose(logits_BV, uniform_B=uniform[alive_B, step], temperature=temperature, top_p=top_p)
            result[alive_B, step] = torch.where(unfinished_B, token_B, result[alive_B, step])
            unfinished_B = unfinished_B & ~torch.isin(token_B, self._ends)
            if self._stop and step % STOP_EVERY == STOP_EVERY - 1:
                unfinished_B = unfinished_B & ~self._has_stop(result[alive_B, : step + 1])
            if step == length - 1:
                break
            num_left = int(unfinished_B.sum()) if (step + 1) % look_every == 0 else len(alive_B)
            if num_left == 0:
                break
            if num_left < KEEP_SHARE * len(alive_B):
                kept = unfinished_B.nonzero().squeeze(1)
                cache.batch_select_indices(kept)
                alive_B, token_B, position_B = alive_B[kept], token_B[kept], position_B[kept]
                mask_BT, unfinished_B = mask_BT[kept], unfinished_B[kept]
            position_B = position_B + 1
            mask_BT = torch.cat((mask_BT, mask_BT.new_ones((len(mask_BT), 1))), 1)
            out = self._model(
                input_ids=token_B[:, None],
                attention_mask=mask_BT,
                position_ids=position_B[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            logits_BV = out.logits[:, -1]
        return _trim(result, steps=step + 1)

    def _has_stop(self, ids_BT: torch.Tensor) -> torch.Tensor:
        texts = self._tokenizer.batch_decode(
            ids_BT.tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        found = [first_stop(text, self._stop) >= 0 for text in texts]
        return torch.tensor(found, device=ids_BT.device)


def _trim(result: torch.Tensor, *, steps: int) -> list[list[int]]:
    """Rows as lists. A row that stopped early is filled up with the end id, which is where it is cut again."""
    rows: list[list[int]] = result[:, :steps].tolist()
    return rows
