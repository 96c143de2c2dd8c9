"""Training without dropout: whatever a model's configuration says, nothing is dropped.

    without_dropout(model)           # in place: nn.Dropout, the rates that layers keep, those read from the configuration

The paper's models have none, and what is dropped would follow how a step is cut into micro-batches and packed rows, which
must not change a result. The model's configuration then says 0, in what is saved too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from rft.core.model import Model


def without_dropout(model: Model) -> None:
    """Set every dropout rate of the model to 0."""
    for module in model.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        _zero_rates(module)
    for config in _configs(model):
        _zero_rates(config)


def _zero_rates(owner: Any) -> None:
    """Rates kept as numbers: attention takes `self.attention_dropout`, OPT drops whole layers by `self.layerdrop`."""
    for name, value in list(vars(owner).items()):
        if "drop" in name and type(value) is float:
            setattr(owner, name, 0.0)


def _configs(model: nn.Module) -> Iterator[Any]:
    """The configurations that the modules read (Falcon and GPT-J take their rates from there in every pass), each once."""
    found = {
        id(config): config for module in model.modules() if (config := getattr(module, "config", None)) is not None
    }
    yield from found.values()
