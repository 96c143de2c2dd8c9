"""Hidden states and the loss at chosen positions, for any causal language model; a lean path for Llama on CPU.

    hidden_BTD = hidden_states(model, inputs_BT)                     # inputs padded on the right; no mask needed
    loss_sum = target_loss_sum(model, inputs_BT, index_N, targets_N)     # nats, at flat positions index_N of B*T

Most tokens of an example carry no loss, and for small models the output head is the largest product: hidden states are
gathered before it. On CPU in float32, Llama models take a forward pass of our own (no mask building, joint projections,
norm weights folded into them) that tests hold to Hugging Face's logits; all else goes through the model's own modules.

Shapes: B sequences, T tokens, N chosen positions, D width, H heads, K kv heads, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from rft.core.model import Model

# Families whose logits are output_head(last hidden state) and nothing more (no soft cap, no scale).
PLAIN_HEADS = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "gpt2", "gpt_neox", "smollm3", "olmo", "olmo2", "olmo3", "stablelm"}
)
HEAD_CHUNK = 256  # positions whose logits exist at once in the fused loss: 256 x 1,200 float32 stay in a 2 MB cache


def hidden_states(model: Model, inputs_BT: torch.Tensor, *, positions_BT: torch.Tensor | None = None) -> torch.Tensor:
    """Final hidden states (B, T, D), after the last norm. `inputs_BT` may be padded on the right only.

    With `positions_BT` a row holds several examples, each beginning at position 0 and blind to those before it.
    """
    if runs_lean(model):
        return _lean_llama(model, inputs_BT, positions_BT)
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    inputs = _inputs(inputs_BT, positions_BT, dtype=model.dtype)
    hidden: torch.Tensor = base.base_model(**inputs).last_hidden_state
    return hidden


def _inputs(inputs_BT: torch.Tensor, positions_BT: torch.Tensor | None, *, dtype: torch.dtype) -> dict[str, Any]:
    """Keyword arguments of a Hugging Face forward pass."""
    inputs: dict[str, Any] = {"input_ids": inputs_BT, "use_cache": False}
    if positions_BT is not None:
        inputs |= {"position_ids": positions_BT, "attention_mask": block_mask(positions_BT, dtype=dtype)}
    return inputs


def block_mask(positions_BT: torch.Tensor, *, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask (B, 1, T, T): 0 where a token may look, at itself and what precedes it in its own example."""
    block_BT = (positions_BT == 0).cumsum(1)
    seen_BTT = (block_BT[:, :, None] == block_BT[:, None, :]).tril()
    mask_BTT = torch.zeros(seen_BTT.shape, dtype=dtype, device=positions_BT.device)
    return mask_BTT.masked_fill_(~seen_BTT, torch.finfo(dtype).min)[:, None]


def target_loss_sum(
    model: Model,
    inputs_BT: torch.Tensor,
    index_N: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    positions_BT: torch.Tensor | None = None,
    weights_N: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sum of the losses in nats at flat positions `index_N` of B*T: a scalar to call backward on.

    `positions_BT`: see `hidden_states`. `weights_N`: factors of the losses; None: 1 each.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if base.config.model_type not in PLAIN_HEADS:
        logits_NV = model(**_inputs(inputs_BT, positions_BT, dtype=model.dtype)).logits.flatten(0, 1)[index_N]
        return _cross_entropy_sum(logits_NV, targets_N, weights_N)
    hidden_ND = hidden_states(model, inputs_BT, positions_BT=positions_BT).flatten(0, 1)
    if len(index_N) != len(hidden_ND):
        hidden_ND = hidden_ND.index_select(0, index_N)
    head = base.get_output_embeddings()
    if runs_lean(model):
        loss: torch.Tensor = _HeadLoss.apply(hidden_ND, head.weight, targets_N, weights_N)
        return loss
    return _cross_entropy_sum(head(hidden_ND), targets_N, weights_N)


def _cross_entropy_sum(
    logits_NV: torch.Tensor, targets_N: torch.Tensor, weights_N: torch.Tensor | None
) -> torch.Tensor:
    if weights_N is None:
        return F.cross_entropy(logits_NV.float(), targets_N, reduction="sum")
    return (weights_N * F.cross_entropy(logits_NV.float(), targets_N, reduction="none")).sum()


@torch.no_grad()
def target_losses(
    model: Model, inputs_BT: torch.Tensor, index_N: torch.Tensor, targets_N: torch.Tensor
) -> torch.Tensor:
    """The loss in nats at each flat position `index_N` of B*T: float32 (N,)."""
    if model.config.model_type not in PLAIN_HEADS:
        logits_NV = model(input_ids=inputs_BT, use_cache=False).logits.flatten(0, 1)[index_N]
        return F.cross_entropy(logits_NV.float(), targets_N, reduction="none")
    hidden_ND = hidden_states(model, inputs_BT).flatten(0, 1).index_select(0, index_N)
    head = model.get_output_embeddings()
    parts = [
        F.cross_entropy(head(hidden).float(), targets, reduction="none")
        for hidden, targets in zip(hidden_ND.split(HEAD_CHUNK), targets_N.split(HEAD_CHUNK), strict=True)
    ]
    return torch.cat(parts)


def runs_lean(model: Model) -> bool:
    """Whether the lean path computes this model exactly: a plain Llama, float32 on CPU, default rotary positions.

    It reads the projections' weights itself, so that adapters on them, which compute beside the weight, rule it out.
    """
    config = model.config
    return (
        type(model).__name__ == "LlamaForCausalLM"
        and model.device.type == "cpu"
        and model.dtype == torch.float32
        and config.rope_parameters.get("rope_type") == "default"
        and config.rope_parameters.get("partial_rotary_factor", 1.0) == 1.0
        and not config.attention_bias
        and not config.mlp_bias
        and config.hidden_act == "silu"
        and config.attention_dropout == 0.0
        and not torch.is_autocast_enabled("cpu")
        and type(model.model.layers[0]).__name__ == "LlamaDecoderLayer"  # its weights are not in shards
        and not getattr(model.model.layers[0], "gradient_checkpointing", False)
        and all(type(part) is nn.Linear for layer in model.model.layers for part in _projections(layer))
    )


def _projections(layer: Any) -> tuple[Any, ...]:
    attn, mlp = layer.self_attn, layer.mlp
    return attn.q_proj, attn.k_proj, attn.v_proj, attn.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj


def _lean_llama(model: Model, inputs_BT: torch.Tensor, positions_BT: torch.Tensor | None) -> torch.Tensor:
    config, body = model.config, model.model
    batch, length = inputs_BT.shape
    phase_TC = rotary_phase(body.rotary_emb.inv_freq, torch.arange(length))
    # Only differences of rotary positions count: those of a packed row need not begin again, the mask is enough.
    mask = None if positions_BT is None else block_mask(positions_BT, dtype=torch.float32)
    pairing = rotary_pairing(config, body.layers[0].self_attn.head_dim)
    x_BTD = F.embedding(inputs_BT, body.embed_tokens.weight)
    for layer in body.layers:
        x_BTD = x_BTD + _attention(layer, x_BTD, phase_TC[:, None], pairing, mask)
        x_BTD = x_BTD + _mlp(layer, x_BTD)
    out: torch.Tensor = _RMSNorm.apply(x_BTD, config.rms_norm_eps) * body.norm.weight
    return out.view(batch, length, -1)


def _attention(
    layer: Any, x_BTD: torch.Tensor, phase: torch.Tensor, pairing: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    attn = layer.self_attn
    batch, length, _ = x_BTD.shape
    size = attn.head_dim
    num_q, num_kv = attn.q_proj.out_features // size, attn.k_proj.out_features // size
    norm = layer.input_layernorm
    qk_weight = torch.cat((attn.q_proj.weight, attn.k_proj.weight)).index_select(0, pairing)
    weight = torch.cat((qk_weight, attn.v_proj.weight)) * norm.weight
    normed_BTD = _RMSNorm.apply(x_BTD, norm.variance_epsilon)
    qkv = F.linear(normed_BTD, weight).view(batch, length, num_q + 2 * num_kv, size)
    qk, v = qkv.split((num_q + num_kv, num_kv), 2)
    q, k = _Rotate.apply(qk, phase).split((num_q, num_kv), 2)
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        attn_mask=mask,
        is_causal=mask is None,
        enable_gqa=num_q != num_kv,
    )
    return F.linear(out.transpose(1, 2).reshape(batch, length, num_q * size), attn.o_proj.weight)


def _mlp(layer: Any, x_BTD: torch.Tensor) -> torch.Tensor:
    mlp, norm = layer.mlp, layer.post_attention_layernorm
    weight = torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)) * norm.weight
    both = F.linear(_RMSNorm.apply(x_BTD, norm.variance_epsilon), weight)
    return F.linear(_SwiGLU.apply(both), mlp.down_proj.weight)


def rotary_phase(inv_freq: torch.Tensor, positions_T: torch.Tensor) -> torch.Tensor:
    """Unit complex numbers (T, head size / 2) that rotate neighbouring channel pairs at these positions."""
    angles = positions_T[:, None].float() * inv_freq.float()[None]
    return torch.polar(torch.ones_like(angles), angles)


def rotary_pairing(config: Any, head_size: int) -> torch.Tensor:
    """Row order of the stacked q and k weights that puts channels i and i + half side by side.

    Hugging Face rotates channel i with i + half; side by side they are one complex number, and since q and k are
    reordered alike their products do not change.
    """
    half = head_size // 2
    within = torch.stack((torch.arange(half), torch.arange(half) + half), 1).flatten()
    num_heads = config.num_attention_heads + config.num_key_value_heads
    return (torch.arange(num_heads)[:, None] * head_size + within).flatten()


class _RMSNorm(torch.autograd.Function):
    """x / rms(x) without the weight, which the following product has taken in."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, eps: float) -> torch.Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        out = x * scale
        ctx.save_for_backward(out, scale)
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        out, scale = ctx.saved_tensors
        mean = (grad * out).mean(-1, keepdim=True)
        return torch.addcmul(grad, out, mean, value=-1).mul_(scale), None


class _Rotate(torch.autograd.Function):
    """Rotary positions as one complex product per channel pair."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(phase)
        return _rotate(x, phase)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        (phase,) = ctx.saved_tensors
        return _rotate(grad, phase.conj()), None


def _rotate(x: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * phase).flatten(-2)


class _SwiGLU(torch.autograd.Function):
    """silu(gate) * up for the two halves of one tensor, with the gradient written into one tensor too."""

    @staticmethod
    def forward(ctx: Any, both: torch.Tensor) -> torch.Tensor:
        gate, up = both.chunk(2, -1)
        ctx.save_for_backward(both)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        (both,) = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        out = torch.empty_like(both)
        grad_gate, grad_up = out.chunk(2, -1)
        torch.mul(grad, F.silu(gate), out=grad_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=grad_gate)
        return out


class _HeadLoss(torch.autograd.Function):
    """Sum of cross entropies of `hidden @ weight.T`, chunk by chunk, gradients made on the way: logits never leave
    cache.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: torch.Tensor,
        weight_VD: nn.Parameter,
        targets_N: torch.Tensor,
        weights_N: torch.Tensor | None,
    ) -> torch.Tensor:
        grad_hidden, grad_weight = torch.empty_like(hidden_ND), torch.zeros_like(weight_VD)
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(hidden_ND), HEAD_CHUNK):
            hidden, targets = hidden_ND[start : start + HEAD_CHUNK], targets_N[start : start + HEAD_CHUNK, None]
            log_probs = torch.log_softmax(hidden @ weight_VD.t(), -1)
            told = log_probs.gather(1, targets)
            if weights_N is not None:
                factors = weights_N[start : start + HEAD_CHUNK, None]
                told = told * factors
            total -= told.sum(dtype=torch.float64)
            grad_logits = log_probs.exp_()
            grad_logits.scatter_add_(1, targets, torch.full(targets.shape, -1.0))
            if weights_N is not None:
                grad_logits.mul_(factors)
            torch.mm(grad_logits, weight_VD, out=grad_hidden[start : start + HEAD_CHUNK])
            grad_weight.addmm_(grad_logits.t(), hidden)
        ctx.save_for_backward(grad_hidden, grad_weight)
        return total.to(hidden_ND.dtype)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:  # type: ignore[override]
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden.mul_(grad), grad_weight.mul_(grad), None, None
