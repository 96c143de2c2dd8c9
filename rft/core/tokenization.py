"""Text to token ids and back: tokenizers from a model folder, and examples with their prompt length.

tokenizer = load_tokenizer(folder)
encoded = encode_examples(tokenizer, [(Prompt("How many?"), " makes <<3*17=51>>51\\n#### 51")], max_tokens=256)
encoded[0]   # Encoded(ids=(87, 175, 15, 174, ..., 1), num_prompt=3): the loss covers ids[3:], end-of-sequence token included
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

CHAT_DATE = datetime.datetime(
    2024, 7, 26
)  # what "today" is for chat templates that print it: the default of Llama 3's own
_DATE_CALL = re.compile(r"""strftime_now\s*\(\s*(['"])(.*?)\1\s*\)""")
Tokenizer = Any  # PreTrainedTokenizerBase; transformers has no usable type for what AutoTokenizer returns


@dataclass(frozen=True)
class Prompt:
    """The text before a response."""

    text: str
    framed: bool = False  # a chat template wrote it, special tokens included: the tokenizer must not add its own again


@dataclass(frozen=True)
class Encoded:
    """One training example as token ids."""

    ids: tuple[int, ...]  # prompt, response, end-of-sequence token
    num_prompt: int  # leading tokens without loss
    is_cut: bool = False  # the end of the response and the end-of-sequence token are missing

    @property
    def num_targets(self) -> int:
        """Tokens that carry loss; the first token of all has no context and never does."""
        return len(self.ids) - max(1, self.num_prompt)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a local model folder, with a padding token.

    A tokenizer without one pads with its end-of-sequence token: padding is told apart by position, never by id, so that
    the end-of-sequence token stays in the loss. Raises ValueError when the folder has no tokenizer or it has no EOS.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"no tokenizer can be loaded from {folder}: {error}") from error
    if tokenizer.eos_token_id is None:
        raise ValueError(
            f"the tokenizer in {folder} has no end-of-sequence token; set eos_token in its tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def encode_prompts(tokenizer: Tokenizer, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Token ids of each prompt, in training, sampling and wherever lengths are counted.

    A tokenizer that begins every text with BOS does so with bare prompts; a framed one holds all that its template wrote.
    """
    rows: list[list[int]] = [[] for _ in prompts]
    for framed in (False, True):
        places = [place for place, prompt in enumerate(prompts) if prompt.framed is framed]
        texts = [prompts[place].text for place in places]
        ids = tokenizer(texts, add_special_tokens=not framed, return_attention_mask=False)["input_ids"] if texts else []
        for place, row in zip(places, ids, strict=True):
            rows[place] = row if framed else _without_final_eos(tokenizer, row)
    return rows


def chat_format(tokenizer: Tokenizer) -> Callable[[list[dict[str, str]]], str]:
    """The tokenizer's own chat template as a function from messages to text."""
    options = {"tokenize": False, "add_generation_prompt": True, "chat_template": pinned_chat_template(tokenizer)}
    return lambda messages: str(tokenizer.apply_chat_template(messages, **options))


def pinned_chat_template(tokenizer: Tokenizer) -> str:
    """The tokenizer's own chat template; one that prints the date prints CHAT_DATE.

    So prompts of one key are the same on every day. Raises ValueError when there is no template, or when it prints a date in
    a form that cannot be seen beforehand.
    """
    if tokenizer.chat_template is None:
        raise ValueError("prompt=chat, but the model's tokenizer has no chat template: use prompt=alpaca or plain")
    pinned = _DATE_CALL.sub(lambda call: repr(CHAT_DATE.strftime(call[2])), tokenizer.get_chat_template())
    if re.search(r"strftime_now\s*\(", pinned):
        raise ValueError(
            "the chat template prints the date in a form that is no literal: its prompts change from day to day"
        )
    return pinned


def begins_with_bos(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer begins every text with BOS by itself."""
    return tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]


def encode_examples(
    tokenizer: Tokenizer, pairs: Sequence[tuple[Prompt, str]], *, max_tokens: int, truncate: bool = False
) -> list[Encoded]:
    """Examples from (prompt, response) pairs.

    Prompt and response are tokenized apart and joined, so that training sees the very prompt ids that sampling starts
    from. Raises ValueError naming how many examples exceed `max_tokens` (end-of-sequence token included) and the longest;
    with `truncate` those are cut, and a prompt that leaves no room for a response is refused.
    """
    if not pairs:
        return []
    prompts = encode_prompts(tokenizer, [prompt for prompt, _ in pairs])
    texts = [response for _, response in pairs]
    responses = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    encoded = [
        Encoded((*prompt, *response, tokenizer.eos_token_id), len(prompt))
        for prompt, response in zip(prompts, responses, strict=True)
    ]
    if truncate:
        return [_cut(example, max_tokens) for example in encoded]
    lengths = [len(example.ids) for example in encoded]
    too_long = sum(length > max_tokens for length in lengths)
    if too_long:
        raise ValueError(
            f"{too_long} of {len(encoded)} examples exceed train.max_tokens={max_tokens}; the longest has {max(lengths)} "
            "tokens: raise train.max_tokens, or set data.on_too_long=drop or truncate"
        )
    return encoded


def _cut(example: Encoded, max_tokens: int) -> Encoded:
    """No end of sequence behind a cut: the model would learn to break off there."""
    if len(example.ids) <= max_tokens:
        return example
    if example.num_prompt >= max_tokens:
        raise ValueError(
            f"a prompt of {example.num_prompt} tokens leaves no room for a response within train.max_tokens={max_tokens}: "
            "raise it, or leave such rows out with data.on_too_long=drop"
        )
    return Encoded(example.ids[:max_tokens], example.num_prompt, is_cut=True)


def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """What cuts texts into tokens, as 32 hex digits: losses in nats per token compare within one tokenizer alone.

    Vocabulary, merges, normaliser and pre-tokeniser; not what it adds around a text or how it pads and truncates.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:  # a slow tokenizer: its class and its vocabulary
        parts: Any = [type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())]
    else:
        whole = json.loads(backend.to_str())
        parts = {name: whole.get(name) for name in ("model", "normalizer", "pre_tokenizer", "added_tokens")}
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _without_final_eos(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    """Some tokenizers end every text with EOS; a prompt that ends so asks the model to begin another document."""
    if len(ids) > 1 and ids[-1] == tokenizer.eos_token_id and tokenizer("")["input_ids"][-1:] == ids[-1:]:
        return ids[:-1]
    return ids
