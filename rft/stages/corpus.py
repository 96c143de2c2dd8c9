"""The embedded world's pretraining text as token ids, with its tokenizer and the held-out slice of the measured loss.

Writes a Hugging Face tokenizer, `tokens.npy` (uint16, documents ended by the end-of-sequence token), `heldout.npy`,
`heldout_determined.npy` (bool, same length) and `corpus.json`: {"num_heldout_bytes": 201734}. A smaller budget's tokens
are a prefix of a larger one's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rft.config import WorldConfig
from rft.core.tokenization import Tokenizer
from rft.core.world_tokenizer import build_world_tokenizer
from rft.records import write_json
from rft.stages import Inputs, StageContext, Stats
from rft.text.world import Segment, corpus_documents

DOCUMENTS_AT_ONCE = 2_000
CORPUS_SEED = 0


def make_corpus(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    world = WorldConfig(**config["world"], human_style=0.0)
    tokenizer = build_world_tokenizer(world)
    tokenizer.save_pretrained(str(out))
    wanted = config["num_tokens"] + 1  # the last target of the last sequence
    parts, count = [], 0
    for texts in _batches(corpus_documents(world, seed=CORPUS_SEED)):
        parts.append(_ids(tokenizer, texts))
        count += len(parts[-1])
        context.report(min(1.0, count / wanted))
        if count >= wanted:
            break
    np.save(out / "tokens.npy", np.concatenate(parts)[:wanted])
    _write_heldout(world, tokenizer, out, num_tokens=config["num_heldout_tokens"])
    return {"tokens": wanted, "flops": 0.0}


def _batches(documents: Iterator[list[Segment]]) -> Iterator[list[str]]:
    while True:
        yield ["".join(s.text for s in document) for document in itertools.islice(documents, DOCUMENTS_AT_ONCE)]


def _ids(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    assert len(tokenizer) <= np.iinfo(np.uint16).max
    rows = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return np.array([token for row in rows for token in (*row, tokenizer.eos_token_id)], dtype=np.uint16)


def _write_heldout(world: WorldConfig, tokenizer: Tokenizer, out: Path, *, num_tokens: int) -> None:
    """Held-out documents with the tokens marked that follow from what stands before them."""
    ids: list[int] = []
    determined: list[bool] = []
    num_bytes = 0
    for document in corpus_documents(world, seed=CORPUS_SEED, held_out=True):
        row, marks = _marked(tokenizer, document)
        ids += [*row, tokenizer.eos_token_id]
        determined += [*marks, False]
        num_bytes += len("".join(s.text for s in document).encode())
        if len(ids) >= num_tokens:
            break
    np.save(out / "heldout.npy", np.array(ids, dtype=np.uint16))
    np.save(out / "heldout_determined.npy", np.array(determined, dtype=bool))
    write_json(out / "corpus.json", {"num_heldout_bytes": num_bytes, "num_heldout_tokens": len(ids)})


def _marked(tokenizer: Tokenizer, document: list[Segment]) -> tuple[list[int], list[bool]]:
    """Token ids of a document, and for each whether it begins inside a determined segment."""
    text = "".join(segment.text for segment in document)
    flags = [segment.determined for segment in document for _ in segment.text]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False)
    return encoded["input_ids"], [flags[start] for start, _ in encoded["offset_mapping"]]
