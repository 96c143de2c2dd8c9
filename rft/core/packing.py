"""Whether a model can read packed rows: some families take no positions, or no mask, that would keep examples apart.

check_packing(model, encoded)        # ValueError: runtime.packing=true does not suit the model type 'mpt': ...
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rft.core.forward import hidden_states
from rft.core.model import Model
from rft.core.tokenization import Encoded

TOLERANCE = 1e-3  # share of the largest hidden value: rounding in float32 gives 1e-6, a token seen in error far more


@torch.no_grad()
def check_packing(model: Model, examples: Sequence[Encoded]) -> None:
    """Compare two examples, the longest behind the shortest, read in one row and each alone.

    The longest, since a sliding window shows in long ones only. Raises ValueError when the model cannot take the
    positions or the mask, or computes something else with them.
    """
    ordered = sorted(examples, key=lambda example: len(example.ids))
    rows = [torch.tensor([example.ids[:-1]], device=model.device) for example in (ordered[0], ordered[-1])]
    positions_BT = torch.cat([torch.arange(row.shape[1], device=model.device) for row in rows])[None]
    was_training = model.training
    model.eval()  # without dropout
    try:
        together_TD = hidden_states(model, torch.cat(rows, 1), positions_BT=positions_BT)[0]
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(_refusal(model, f"its forward pass fails ({error})")) from error
    apart_TD = torch.cat([hidden_states(model, row)[0] for row in rows])
    model.train(was_training)
    gap = float((together_TD - apart_TD).abs().max() / apart_TD.abs().max())
    if not gap <= TOLERANCE:
        raise ValueError(_refusal(model, f"hidden states change by {gap:.1g} of their largest value"))


def _refusal(model: Model, reason: str) -> str:
    return (
        f"runtime.packing=true does not suit the model type {model.config.model_type!r}, which does not keep the examples "
        f"of a row apart: {reason}; use runtime.packing=false"
    )
