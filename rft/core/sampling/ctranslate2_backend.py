"""CTranslate2 engine: the default on CPU.

    sampler = CTranslate2Sampler(folder, device="cpu", threads=1, dtype="float32")

The model is converted once per sampler into a scratch folder. Hypotheses come back sorted by score (OpenNMT/CTranslate2 issue
1475): independent draws, but the likeliest first, so they are put into an order that the seed gives. A seed takes effect only
for threads that have not drawn yet, so every call builds a Generator of its own. The order in which sequences draw from the
random stream depends on how they are batched: `ROWS` and one worker are part of this engine's identity (change them only with
a version bump of whatever stores samples); intra-op threads do not touch the stream.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rft.core.checkpoints import check_folder
from rft.core.sampling.base import Generation, Progress, check_request, end_ids, finish, shuffled
from rft.core.seeding import derive_seed
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer

ROWS = 32  # sequences decoded at once
COMPUTE_TYPES = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}


class CTranslate2Sampler:
    """A model converted to CTranslate2. Raises ValueError when the architecture has no converter."""

    def __init__(self, model_folder: Path, *, device: str, threads: int, dtype: str) -> None:
        check_folder(model_folder)
        self._tokenizer = load_tokenizer(model_folder)
        self._ends = end_ids(model_folder, self._tokenizer)
        scratch = tempfile.mkdtemp(prefix="rft-ctranslate2-")
        self._remove = weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._folder = Path(scratch) / "model"
        self._device, self._threads = device.split(":")[0], threads
        self._compute_type = COMPUTE_TYPES[dtype]
        convert(model_folder, self._folder)

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
        progress: Progress | None = None,
    ) -> list[list[Generation]]:
        """See `rft.core.sampling.base.Sampler`."""
        ids = encode_prompts(self._tokenizer, prompts)
        check_request(ids, num_draws=num_draws, temperature=temperature, top_p=top_p)
        tokens = [self._tokenizer.convert_ids_to_tokens(row) for row in ids]
        generator = self._seeded(seed)
        rows: list[list[list[int]]] = [[] for _ in prompts]
        # Longest first keeps batches even; the sort is stable and depends on the prompts alone.
        order = sorted(range(len(prompts)), key=lambda number: -len(ids[number]))
        options = _options(temperature, top_p=top_p, max_new_tokens=max_new_tokens, ends=self._ends)
        done = 0
        for block, draws in enumerate(draw_blocks(num_draws)):
            per_batch = max(1, ROWS // draws)
            for at in range(0, len(order), per_batch):
                chosen = order[at : at + per_batch]
                results = generator.generate_batch([tokens[i] for i in chosen], num_hypotheses=draws, **options)
                for number, result in zip(chosen, results, strict=True):
                    drawn = shuffled(result.sequences_ids, seed=seed, place=f"{number}/{block}")
                    rows[number] += [list(sequence) for sequence in drawn]
                done += draws * len(chosen)
                if progress is not None:
                    progress(done, num_draws * len(prompts))
        flat = finish(self._tokenizer, [row for group in rows for row in group], ends=self._ends, stop=stop)
        return [flat[i * num_draws : (i + 1) * num_draws] for i in range(len(prompts))]

    def close(self) -> None:
        """Remove the converted model."""
        self._remove()

    def _seeded(self, seed: int) -> Any:
        import ctranslate2

        ctranslate2.set_random_seed(derive_seed(seed, "ctranslate2") % 2**31)
        return ctranslate2.Generator(
            str(self._folder),
            device=self._device,
            compute_type=self._compute_type,
            inter_threads=1,
            intra_threads=self._threads,
        )


def convert(model_folder: Path, out: Path) -> None:
    """Convert a Hugging Face folder into a CTranslate2 folder. Raises ValueError when there is no converter for it."""
    import transformers.utils.logging as hf_logging
    from ctranslate2.converters import TransformersConverter

    hf_logging.disable_progress_bar()
    try:
        TransformersConverter(str(model_folder)).convert(str(out))
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"CTranslate2 cannot convert {model_folder}: {error}; use sampling.engine=torch") from error
    _name_missing_tokens(out / "config.json")


def draw_blocks(num_draws: int) -> list[int]:
    """Draws per decoding pass, at most ROWS each: 70 draws are [32, 32, 6]."""
    full, rest = divmod(num_draws, ROWS)
    return [ROWS] * full + ([rest] if rest else [])


def _options(temperature: float, *, top_p: float, max_new_tokens: int, ends: list[int]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "beam_size": 1,
        "max_length": max_new_tokens,
        "include_prompt_in_result": False,
        "end_token": ends,
        "return_end_token": True,
    }
    if temperature == 0:
        return {**options, "sampling_topk": 1}
    return {**options, "sampling_topk": 0, "sampling_topp": top_p, "sampling_temperature": temperature}


def _name_missing_tokens(config_file: Path) -> None:
    """The loader refuses null token names; a model without BOS never uses the name it gets here."""
    config = json.loads(config_file.read_text(encoding="utf-8"))
    for name in ("bos_token", "unk_token"):
        if config.get(name) is None:
            config[name] = config["eos_token"]
    config_file.write_text(json.dumps(config), encoding="utf-8")
