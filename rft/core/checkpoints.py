"""Model folders on disk: what a usable Hugging Face folder holds, checked before anything is loaded.

Weights are safetensors only: a pickle can run code when it is read, so folders that hold nothing else are refused.

    check_folder(Path("model"))          # ValueError when it has no safetensors weights or no config.json
"""

from __future__ import annotations

import json
from pathlib import Path

CONFIG_FILE = "config.json"
# Weights; configurations (of the model, of generation, of the tokenizer); vocabularies; chat templates
MODEL_PATTERNS = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "additional_chat_templates/*.jinja")
NOT_CAUSAL = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
PICKLE_PATTERNS = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def model_files(folder: Path) -> list[Path]:
    """All files of a model folder that decide what it computes and how it is asked, sorted by name."""
    return sorted({path for pattern in MODEL_PATTERNS for path in folder.glob(pattern)})


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder, sorted by name; adapter weights are not counted."""
    return sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter_"))


def check_folder(folder: Path) -> None:
    """Raise ValueError unless the folder holds config.json and safetensors weights that are all there."""
    if not folder.is_dir():
        raise ValueError(f"model folder {folder} does not exist")
    if not (folder / CONFIG_FILE).is_file():
        raise ValueError(f"model folder {folder} has no {CONFIG_FILE}; expected a Hugging Face model folder")
    if not weight_files(folder):
        pickles = sorted(path.name for pattern in PICKLE_PATTERNS for path in folder.glob(pattern))
        if pickles:
            raise ValueError(
                f"model folder {folder} holds only pickle weights ({', '.join(pickles)}), which can run code when read; "
                "convert them to safetensors first"
            )
        raise ValueError(f"model folder {folder} has no weights (no *.safetensors file)")
    _check_index(folder)


def check_causal(folder: Path) -> None:
    """Raise ValueError for a folder whose config.json names a model that does not continue a text."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    names = [str(name) for name in config.get("architectures") or ()]
    if config.get("is_encoder_decoder") or any(name.endswith(NOT_CAUSAL) for name in names):
        raise ValueError(
            f"model folder {folder} holds {names[0] if names else 'an encoder-decoder model'}, which is no causal language "
            "model: give a model that continues a text (its config.json says ...ForCausalLM or ...LMHeadModel)"
        )


def _check_index(folder: Path) -> None:
    """A sharded checkpoint whose index names files that are missing is an interrupted download."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    outside = sorted(name for name in named if Path(name).name != name)
    if outside:
        raise ValueError(
            f"model folder {folder} has an index that names {outside[0]!r}: weights lie directly in the folder"
        )
    missing = sorted(name for name in named if not (folder / name).is_file())
    if missing:
        raise ValueError(
            f"model folder {folder} lacks {len(missing)} weight files named in its index, first {missing[0]}"
        )


def architecture(folder: Path) -> str:
    """The architecture named in config.json ('LlamaForCausalLM'). Raises ValueError when none is named."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    names = config.get("architectures") or []
    if not names:
        raise ValueError(f"{folder / CONFIG_FILE} names no architecture; expected e.g. 'LlamaForCausalLM'")
    return str(names[0])
