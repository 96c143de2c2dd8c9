"""The embedded world's tokenizer: one token per word, whole number and sign, as a real Hugging Face fast tokenizer.

    tokenizer = build_world_tokenizer(config)            # 248 tokens at max_value=60
    tokenizer.save_pretrained(folder)
    tokenizer.tokenize("left <<51-5=46>>46")             # ['left', '<<', '51', '-', '5', '=', '46', '>>', '46']

Spaces are no tokens: the decoder puts one before every token and takes it away again around signs, which is exact for
all text the world writes. Anything else becomes <unk>. Nothing is put before or after a text.
"""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rft.config import WorldConfig
from rft.text.world.paths import LABELS
from rft.text.world.scenarios import words

PAD, EOS, UNK = "<pad>", "<eos>", "<unk>"
NO_PREFIX = "\0"  # no token begins with it, so the decoder puts a space before every token
# longest first, as the alternatives of a regular expression; the glue says on which sides no space stands
GLUE = {
    "\n\n": "both",
    "\n": "both",
    "<<": "right",
    ">>": "both",
    "####": "none",
    "+": "both",
    "-": "both",
    "*": "both",
    "/": "both",
    "=": "both",
    ".": "left",
    ",": "left",
    "?": "left",
    ":": "left",
}


def world_vocabulary(config: WorldConfig) -> list[str]:
    """All tokens by id: special ones, signs, numbers 0..max_value, words."""
    prompt_words = {"Question", "Answer"}
    label_words = {word for wording in LABELS for word in wording.values()}
    told = sorted(set(words()) | prompt_words | label_words)
    return [PAD, EOS, UNK, *GLUE, *(str(n) for n in range(config.max_value + 1)), *told]


def build_world_tokenizer(config: WorldConfig) -> PreTrainedTokenizerFast:
    """The tokenizer of a world; `save_pretrained` writes it beside a model."""
    vocabulary = {token: index for index, token in enumerate(world_vocabulary(config))}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNK))
    signs = "|".join("".join(f"\\{c}" if c in "+-*/.?" else c for c in sign) for sign in GLUE)
    pattern = Regex(rf"{signs}|[0-9]+|[A-Za-z]+|[^\sA-Za-z0-9]")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "removed", invert=True)
    tokenizer.decoder = decoders.Sequence(
        [decoders.WordPiece(prefix=NO_PREFIX, cleanup=False), decoders.Fuse(), *_glue()]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        bos_token=EOS,  # never put before a text; CTranslate2 cannot load a model without one
        unk_token=UNK,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )


def _glue() -> list[decoders.Decoder]:
    """Replacements that take away the spaces around signs."""
    left = [decoders.Replace(" " + sign, sign) for sign, side in GLUE.items() if side in ("left", "both")]
    right = [decoders.Replace(sign + " ", sign) for sign, side in GLUE.items() if side in ("right", "both")]
    return [*left, *right]
