"""CTranslate2 engine: the default on CPU.

    sampler = CTranslate2Sampler(folder, device="cpu", threads=1, dtype="float32")

The model is converted once per sampler into a scratch folder and compared with transformers there, before anything is sampled
(`rft.core.sampling.agreement`; the result lies beside the copy in `agreement.json`).

Hypotheses come back sorted by score (OpenNMT/CTranslate2 issue 1475): independent draws, but the likeliest first, so they are
put into an order that the seed gives. A seed takes effect only for threads that have not drawn yet, so every call builds a
Generator of its own. The order in which sequences draw from the random stream depends on how they are batched: `ROWS` and one
worker are part of this engine's identity (change them only with a version bump of whatever stores samples); intra-op threads
do not touch the stream.
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rft.core.checkpoints import CONFIG_FILE, check_folder
from rft.core.context import context_of
from rft.core.model import Model, load_model
from rft.core.sampling.agreement import measure_agreement
from rft.core.sampling.base import OnSolutions, Solution, check_request, end_ids, finish, shuffled
from rft.core.seeding import derive_seed
from rft.core.tokenization import Prompt, Tokenizer, encode_prompts, load_tokenizer

ROWS = 32  # sequences decoded at once
COMPUTE_TYPES = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
HALF_TYPES = ("bfloat16", "float16")
AGREEMENT_FILE = "agreement.json"


class CTranslate2Sampler:
    """A model converted to CTranslate2. Raises ValueError when there is no converter for it, or the copy computes something
    else."""

    def __init__(self, model_folder: Path, *, device: str, threads: int, dtype: str) -> None:
        check_folder(model_folder)
        self._tokenizer = load_tokenizer(model_folder)
        self._ends = end_ids(model_folder, self._tokenizer)
        scratch = tempfile.mkdtemp(prefix="rft-ctranslate2-")
        self._remove = weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._folder = Path(scratch) / "model"
        self._device, self._threads = device.split(":")[0], threads
        self._compute_type = COMPUTE_TYPES[dtype]
        convert(model_folder, self._folder, tokenizer=self._tokenizer, threads=threads)

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
        tokens = [self._tokenizer.convert_ids_to_tokens(row) for row in ids]
        generator = self._seeded(seed)
        solutions: list[list[Solution]] = [[] for _ in prompts]
        # Longest first keeps batches even; the sort is stable and depends on the prompts alone.
        order = sorted(range(len(prompts)), key=lambda number: -len(ids[number]))
        options = _options(temperature, top_p=top_p, max_new_tokens=max_new_tokens, ends=self._ends)
        done = 0
        for block, draws in enumerate(draw_blocks(num_draws)):
            per_batch = max(1, ROWS // draws)
            for at in range(0, len(order), per_batch):
                chosen = order[at : at + per_batch]
                results = generator.generate_batch([tokens[i] for i in chosen], num_hypotheses=draws, **options)
                fresh: list[tuple[int, Solution]] = []
                for number, result in zip(chosen, results, strict=True):
                    drawn = shuffled(result.sequences_ids, seed=seed, place=f"{number}/{block}")
                    ended = finish(self._tokenizer, drawn, ends=self._ends, stop=stop)
                    solutions[number] += ended
                    fresh += [(number, one) for one in ended]
                done += draws * len(chosen)
                if progress is not None:
                    progress(done, num_draws * len(prompts), fresh)
        return solutions

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


def convert(model_folder: Path, out: Path, *, tokenizer: Tokenizer, threads: int) -> None:
    """Convert a Hugging Face folder into a CTranslate2 folder, and compare the two.

    Raises ValueError when there is no converter for it, its token ids have gaps, or the copy computes something else.
    """
    ids = sorted(tokenizer.get_vocab().values())
    if ids != list(range(len(ids))):
        raise ValueError(
            f"CTranslate2 numbers tokens without gaps, the tokenizer in {model_folder} has {len(ids)} tokens with ids up to "
            f"{ids[-1]}: use sampling.engine=torch"
        )
    model = load_model(model_folder, device="cpu", dtype="float32").eval()
    try:
        with quick_collections():
            _converter(model_folder, model, tokenizer).convert(str(out), quantization=_stored_type(model_folder))
        _name_missing_tokens(out / "config.json")
        agreement = measure_agreement(out, model, tokenizer, context=context_of(model_folder), threads=threads)
    except (ValueError, NotImplementedError, AttributeError, KeyError) as error:  # some converters look for lost fields
        raise ValueError(f"CTranslate2 cannot convert {model_folder}: {error}; use sampling.engine=torch") from error
    (out / AGREEMENT_FILE).write_text(json.dumps(dataclasses.asdict(agreement)), encoding="utf-8")
    agreement.check(model_folder)


@contextmanager
def quick_collections() -> Iterator[None]:
    """Collections of garbage pass over what is there already: the converter asks for one a layer, and each would walk through
    all objects of the libraries that are loaded. Where some objects are frozen for good, nothing is changed, since thawing
    would take them along."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _converter(model_folder: Path, model: Model, tokenizer: Tokenizer) -> Any:
    """Takes a twin of the loaded model apart: modules of its own, the same weights."""
    from ctranslate2.converters import TransformersConverter

    class Loaded(TransformersConverter):
        def load_model(self, *_: Any, **__: Any) -> Model:
            return copy.deepcopy(model, {id(one): one for one in (*model.parameters(), *model.buffers())})

        def load_tokenizer(self, *_: Any, **__: Any) -> Tokenizer:
            return tokenizer

    return Loaded(str(model_folder))


def _stored_type(model_folder: Path) -> str | None:
    """The type of the weights on disk, kept in the copy: half the size of float32, and exact. None: float32."""
    config = json.loads((model_folder / CONFIG_FILE).read_text(encoding="utf-8"))
    stored = config.get("dtype") or config.get("torch_dtype")
    return stored if stored in HALF_TYPES else None


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
