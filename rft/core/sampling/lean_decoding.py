"""Decoding for small Llama models on CPU: many draws of few prompts at once, without per-token overhead.

What makes it fast: the draws of a prompt share one copy of the prompt's keys and values, so that attention reads it once
for all of them; new keys and values go into a buffer made once; projections are joined and norm weights folded in, as in
training; a prompt leaves the batch when all its draws are done. Tests hold it to Hugging Face's greedy decoding.

    weights = LeanWeights.of(model)
    rows = decode(weights, prompts, num_draws=8, length=96, ends=[2], choose_next=lambda logits, rows, step: ...)

Shapes: P prompts, K draws of each, B = P * K rows, T tokens, G kv heads, R query heads per kv head, C channels of a head,
D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from rft.core.forward import rotary_pairing, rotary_phase

Choose = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]  # (logits_BV, row numbers (B,), step) -> token ids (B,)


@dataclass(frozen=True)
class LeanLayer:
    """One decoder layer's matrices, transposed for `x @ w`, norm weights folded in."""

    qkv: torch.Tensor  # (D, (G*R + 2G) * C), rotary channels of q and k paired, q scaled by 1/sqrt(C)
    out: torch.Tensor  # (G*R*C, D)
    gate_up: torch.Tensor  # (D, 2 F)
    down: torch.Tensor  # (F, D)


@dataclass(frozen=True)
class LeanWeights:
    """All that decoding needs of a model that `rft.core.forward.runs_lean`."""

    embedding: torch.Tensor  # (V, D)
    layers: list[LeanLayer]
    head: torch.Tensor  # (D, V), final norm folded in
    inv_freq: torch.Tensor
    eps: float
    heads: tuple[int, int, int]  # G, R, C

    @staticmethod
    def of(model: Any) -> LeanWeights:
        """From a LlamaForCausalLM in float32 on CPU."""
        size = model.model.layers[0].self_attn.head_dim
        num_kv = model.config.num_key_value_heads
        return LeanWeights(
            embedding=model.model.embed_tokens.weight.detach(),
            layers=[_layer(layer, rotary_pairing(model.config, size), size) for layer in model.model.layers],
            head=(model.lm_head.weight * model.model.norm.weight).detach().t().contiguous(),
            inv_freq=model.model.rotary_emb.inv_freq,
            eps=model.config.rms_norm_eps,
            heads=(num_kv, model.config.num_attention_heads // num_kv, size),
        )


def _layer(layer: Any, pairing: torch.Tensor, size: int) -> LeanLayer:
    attn, mlp = layer.self_attn, layer.mlp
    qk = torch.cat((attn.q_proj.weight * size**-0.5, attn.k_proj.weight)).index_select(0, pairing)
    qkv = torch.cat((qk, attn.v_proj.weight)) * layer.input_layernorm.weight
    gate_up = torch.cat((mlp.gate_proj.weight, mlp.up_proj.weight)) * layer.post_attention_layernorm.weight
    matrices = (qkv, attn.o_proj.weight, gate_up, mlp.down_proj.weight)
    return LeanLayer(*(matrix.detach().t().contiguous() for matrix in matrices))


def decode(
    weights: LeanWeights,
    prompts: Sequence[Sequence[int]],
    *,
    num_draws: int,
    length: int,
    ends: Sequence[int],
    choose_next: Choose,
    has_stop: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Generated ids (P * K, length) int64, prompt by prompt; what follows a row's end is the end id.

    `has_stop`, given the ids so far, tells which rows ended by a stop string; it is asked every eighth step.
    """
    batch = _Batch(weights, prompts, num_draws=num_draws, length=length)
    ends_E = torch.tensor(ends)
    result = torch.full((len(prompts) * num_draws, length), ends[0])
    row_B = torch.arange(len(result))
    live_B = torch.ones(len(result), dtype=torch.bool)
    logits_BV = batch.prefill()
    for step in range(length):
        token_B = choose_next(logits_BV, row_B, step)
        result[row_B[live_B], step] = token_B[live_B]
        live_B = live_B & ~torch.isin(token_B, ends_E)
        if has_stop is not None and step % 8 == 7:
            live_B = live_B & ~has_stop(result[row_B, : step + 1])
        live_P = live_B.view(-1, num_draws).any(1)
        if step == length - 1 or not live_P.any():
            break
        if not live_P.all():
            kept = live_P.nonzero().squeeze(1)
            batch.keep(kept)
            token_B, row_B, live_B = (t.view(-1, num_draws)[kept].flatten() for t in (token_B, row_B, live_B))
        logits_BV = batch.advance(token_B, step)
    return result


class _Batch:
    """Keys and values of some prompts and of their draws, and the arithmetic over them."""

    def __init__(self, weights: LeanWeights, prompts: Sequence[Sequence[int]], *, num_draws: int, length: int) -> None:
        self._w, self._draws = weights, num_draws
        self._lengths_P = torch.tensor([len(prompt) for prompt in prompts])
        width = int(self._lengths_P.max())
        self._ids_PT = torch.zeros((len(prompts), width), dtype=torch.int64)
        for number, prompt in enumerate(prompts):
            self._ids_PT[number, : len(prompt)] = torch.tensor(prompt)
        beyond_PT = torch.arange(width) >= self._lengths_P[:, None]
        self._bias_PT = torch.zeros((len(prompts), width)).masked_fill_(beyond_PT, -torch.inf)
        self._phase = rotary_phase(weights.inv_freq, torch.arange(width + length))
        groups, _, size = weights.heads
        self._prompt_kv: list[tuple[torch.Tensor, torch.Tensor]] = []  # each (P, G, T, C)
        rows = len(prompts) * num_draws
        self._own_kv = [torch.empty((2, rows, groups, length, size)) for _ in weights.layers]

    def prefill(self) -> torch.Tensor:
        """Read the prompts (right-padded: causal attention needs no mask); logits of every row's first token (B, V)."""
        groups, reps, size = self._w.heads
        num_prompts, width = self._ids_PT.shape
        x = self._w.embedding[self._ids_PT]
        for layer in self._w.layers:
            qkv = (_normed(x, self._w.eps) @ layer.qkv).view(num_prompts, width, -1, size)
            qk, v = qkv.split((groups * (reps + 1), groups), 2)
            q, k = _rotate(qk, self._phase[:width, None]).split((groups * reps, groups), 2)
            q, k, v = (tensor.transpose(1, 2) for tensor in (q, k, v))
            self._prompt_kv.append((k.contiguous(), v.contiguous()))
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0, enable_gqa=reps > 1)
            x = x + mixed.transpose(1, 2).reshape(num_prompts, width, -1) @ layer.out
            x = x + self._mlp(layer, x)
        last_PD = x[torch.arange(num_prompts), self._lengths_P - 1]
        return (_normed(last_PD, self._w.eps) @ self._w.head).repeat_interleave(self._draws, 0)

    def advance(self, token_B: torch.Tensor, step: int) -> torch.Tensor:
        """Take in the tokens chosen at `step`; logits of the next (B, V)."""
        groups, reps, size = self._w.heads
        rows = len(token_B)
        phase_B = self._phase[(self._lengths_P + step).repeat_interleave(self._draws)][:, None]
        x = self._w.embedding[token_B]
        for number, layer in enumerate(self._w.layers):
            qkv = (_normed(x, self._w.eps) @ layer.qkv).view(rows, -1, size)
            qk, v = qkv.split((groups * (reps + 1), groups), 1)
            q, k = _rotate(qk, phase_B).split((groups * reps, groups), 1)
            own = self._own_kv[number]
            own[0, :, :, step], own[1, :, :, step] = k, v
            mixed = self._attend(q, self._prompt_kv[number], own[:, :, :, : step + 1])
            x = x + mixed @ layer.out
            x = x + self._mlp(layer, x)
        return _normed(x, self._w.eps) @ self._w.head

    def keep(self, kept_P: torch.Tensor) -> None:
        """Drop all prompts but these."""
        rows = (kept_P[:, None] * self._draws + torch.arange(self._draws)).flatten()
        self._lengths_P, self._bias_PT = self._lengths_P[kept_P], self._bias_PT[kept_P]
        self._prompt_kv = [(k[kept_P], v[kept_P]) for k, v in self._prompt_kv]
        self._own_kv = [own[:, rows] for own in self._own_kv]

    def _attend(self, q: torch.Tensor, prompt: tuple[torch.Tensor, torch.Tensor], own: torch.Tensor) -> torch.Tensor:
        """Attention of one query per row over its prompt's keys (shared by its draws) and its own: (B, G*R*C)."""
        groups, reps, size = self._w.heads
        draws, rows, steps = self._draws, len(q), own.shape[3]
        num_prompts, _, width, _ = prompt[0].shape
        # Rows of a prompt side by side: (P, G, K*R, C), one matrix product per prompt and kv head.
        q_shared = q.view(num_prompts, draws, groups, reps, size).transpose(1, 2).reshape(num_prompts, groups, -1, size)
        shared = torch.matmul(q_shared, prompt[0].transpose(2, 3)) + self._bias_PT[:, None, None]
        shared = shared.view(num_prompts, groups, draws, reps, width).transpose(1, 2).reshape(rows, groups, reps, width)
        alone = torch.matmul(q.view(rows, groups, reps, size), own[0].transpose(2, 3))
        probs = torch.softmax(torch.cat((shared, alone), -1), -1)
        p_shared, p_alone = probs.split((width, steps), -1)
        p_shared = p_shared.view(num_prompts, draws, groups, reps, width).transpose(1, 2)
        out = torch.matmul(p_shared.reshape(num_prompts, groups, draws * reps, width), prompt[1])
        out = out.view(num_prompts, groups, draws, reps, size).transpose(1, 2).reshape(rows, groups, reps, size)
        return (out + torch.matmul(p_alone, own[1])).reshape(rows, groups * reps * size)

    def _mlp(self, layer: LeanLayer, x: torch.Tensor) -> torch.Tensor:
        gate, up = (_normed(x, self._w.eps) @ layer.gate_up).chunk(2, -1)
        return F.silu(gate).mul_(up) @ layer.down


def _normed(x: torch.Tensor, eps: float) -> torch.Tensor:
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()


def _rotate(x: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * phase).flatten(-2)
