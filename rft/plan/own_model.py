"""A model that is given by its path alone: what its files say of it, so that `model.path=X` needs no YAML file.

    model = own_model(composed, file=as_in_conf)       # of `model.path=runs/tiny-neox` on top of the default nano-xs
    model.family                                       # 'gpt_neox', as config.json says
    model.inferred[1]                                  # 'family gpt_neox: model_type of config.json'

Reads config.json and the headers of the weights: no torch, no network. Of a model of the hub only its name is known.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.config import ModelConfig, ModelSource
from rft.core.checkpoints import CONFIG_FILE, check_causal, check_folder, weight_files
from rft.core.context import context_of

PAPER_LR = 2e-5  # of full fine-tuning (paper A.1)
SHAPES = ("arch", "pretrain")  # of a model that is made here
HEADER_BYTES = 8  # a safetensors file begins with the length of its JSON header
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
WIDTHS = ("hidden_size", "n_embd", "d_model")


@dataclass(frozen=True)
class _Found:
    """A value and where it is from."""

    value: Any
    source: str


@dataclass(frozen=True)
class _Tensor:
    """What the header of a safetensors file says of a tensor."""

    dtype: str
    shape: tuple[int, ...]


def own_model(composed: ModelConfig, *, file: ModelConfig | None, given: Collection[str] = ()) -> ModelConfig:
    """The configuration of the model in `composed.path`.

    `composed` stands on the file of a model that is pretrained here (`file`; None: on none): what equals that file says
    nothing of this model and is inferred, unless it is `given` (names of fields that somebody sets); what differs stands.
    Raises ValueError for a folder that holds no causal language model, and for a shape that nothing would read.
    """
    assert composed.path is not None
    changed = {f.name for f in dataclasses.fields(ModelConfig) if _differs(composed, file, f.name)} | set(given)
    for name in SHAPES:
        if name in changed:
            raise ValueError(
                f"model.{name} is set, but model.path={composed.path} is a model with a shape of its own, which is not "
                f"pretrained here: leave model.{name} out, or model.path"
            )
    kept = {name: getattr(composed, name) for name in changed}
    found = {name: one for name, one in _found(composed.path).items() if name not in kept}
    values = {"source": ModelSource.imported, "path": composed.path} | {k: one.value for k, one in found.items()}
    said = [f"{name} {_text(one.value)}: {one.source}" for name, one in found.items() if one.value is not None]
    return ModelConfig(**{**values, **kept, "source": ModelSource.imported, "inferred": said})


def _differs(composed: ModelConfig, file: ModelConfig | None, name: str) -> bool:
    return file is not None and getattr(composed, name) != getattr(file, name)


def _found(path: str) -> dict[str, _Found]:
    """What is known of a model from its path, by field of its configuration."""
    folder = Path(path).expanduser()
    name = re.sub(r"[^\w.+-]+", "-", folder.resolve().name if folder.is_dir() else path.rsplit("/", 1)[-1])
    rate = _Found(PAPER_LR, "the paper's, not chosen for this model (train.lr or model.lr sets another)")
    if not folder.is_dir():
        family = _Found(name.lower(), "its name on the hub, whose files planning does not fetch")
        return {"name": _Found(name, "its name on the hub"), "family": family, "lr": rate}
    check_folder(folder)
    check_causal(folder)
    config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    total, outer = _count(folder, vocabulary=config.get("vocab_size"))
    said = f"of {CONFIG_FILE}"
    return {
        "name": _Found(name, "the folder's name"),
        "family": _Found(str(config.get("model_type") or name), f"model_type {said}"),
        "lr": rate,
        "num_params": _Found(total, "shapes of its weights"),
        "num_params_non_embedding": _Found(total - outer, "shapes of its weights"),
        "num_layers": _Found(next((config[one] for one in LAYERS if one in config), None), said),
        "width": _Found(next((config[one] for one in WIDTHS if one in config), None), said),
        "context": _Found(context_of(folder), said),
    }


def stored_dtype(folder: Path) -> str:
    """The type of a folder's first weights ('BF16'), as its file says; '' where it does not."""
    try:
        return next((one.dtype for path in weight_files(folder) for one in _tensors(path)), "")
    except ValueError:  # damaged: whoever loads it says so
        return ""


def num_stored(folder: Path) -> int:
    """Numbers in a folder's weight files, as their headers say."""
    return _count(folder, vocabulary=None)[0]


def _count(folder: Path, *, vocabulary: int | None) -> tuple[int, int]:
    """(all parameters, those in matrices with a row for each token) of the weight files."""
    total = outer = 0
    for path in weight_files(folder):
        for tensor in _tensors(path):
            size = math.prod(tensor.shape)
            total += size
            outer += size if len(tensor.shape) == 2 and tensor.shape[0] == vocabulary else 0
    return total, outer


def _tensors(path: Path) -> list[_Tensor]:
    """Every tensor of a safetensors file, as its header says."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(HEADER_BYTES), "little")
        text = stream.read(length)
    try:
        header: dict[str, dict[str, Any]] = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is no safetensors file or was cut: fetch or save it again") from error
    rows = (row for name, row in header.items() if name != "__metadata__")
    return [_Tensor(str(row.get("dtype")), tuple(row.get("shape", ()))) for row in rows]


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
