"""The finetune stage whole: end of sequence in the loss, mixed precision, what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from composing import composed, tiny

from rft.core.batching import example_steps
from rft.core.model import load_model
from rft.core.tokenization import Prompt, encode_examples
from rft.core.training import train
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.text.prompts import template_named
from tests.core_tiny import settings, tiny_llama, tiny_tokenizer, toy_pairs
from tests.finetuning import NUM_EXAMPLES, RECIPE, finetuned, write_base

torch.set_num_threads(1)

NUM_EPOCHS = 20


def weights(folder: Path) -> torch.Tensor:
    model = load_model(folder / "out", device="cpu", dtype="float32")
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("packing", ["false", "true"])
def test_end_of_sequence_is_learned_where_it_pads_too(tmp_path: Path, packing: str) -> None:
    """The same task with a padding token of its own, and with none, where end of sequence stands in for it."""
    curves, ends, plain = [], [], template_named("plain")
    for pad in ("<pad>", None):
        tokenizer, model = tiny_tokenizer(pad=pad), tiny_llama()
        if pad is None:
            model.config.pad_token_id = model.model.embed_tokens.padding_idx = tokenizer.eos_token_id
        folder = tmp_path / str(pad)
        base = write_base(folder / "base", model=model, tokenizer=tokenizer)
        done, curve = finetuned(folder, base=base, runtime=(f"runtime.packing={packing}",), epochs=NUM_EPOCHS)
        pairs = [(question, answer) for question, answer in toy_pairs(NUM_EXAMPLES, seed=3)]
        expected = sum(len(answer.split()) + 1 for _, answer in pairs)  # one end each
        assert done.facts.target_tokens == NUM_EPOCHS * expected
        curves.append([row["loss_nats"] for row in curve])
        ends.append(weights(folder))
        trained = load_model(folder / "out", device="cpu", dtype="float32")
        whole = encode_examples(
            tokenizer, [(Prompt(plain.prompt(q.text)), plain.response(a)) for q, a in pairs], max_tokens=64
        )
        chances = [trained(torch.tensor([e.ids[:-1]])).logits[0, -1].softmax(-1)[tokenizer.eos_token_id] for e in whole]
        assert min(chances) > 0.3  # 1 of 28 at the start
    assert curves[0] == curves[1]
    assert torch.equal(*ends)


def test_mixed_precision_changes_the_products_and_not_the_weights_type(tmp_path: Path) -> None:
    _, exact = finetuned(tmp_path / "float32", max_steps=2, batch_size=2)
    _, mixed = finetuned(tmp_path / "bfloat16", max_steps=2, batch_size=2, dtype="bfloat16")
    for row, other in zip(exact, mixed, strict=True):
        assert other["loss_nats"] == pytest.approx(row["loss_nats"], rel=0.01)
        assert other["loss_nats"] != row["loss_nats"]
    saved = load_model(tmp_path / "bfloat16" / "out", device="cpu", dtype="float32")
    assert saved.config.dtype == torch.float32
    assert torch.allclose(weights(tmp_path / "float32"), weights(tmp_path / "bfloat16"), atol=2 * 2 * RECIPE.lr)


def test_mixed_precision_keeps_weights_in_float32() -> None:
    model = tiny_llama()
    examples = encode_examples(tiny_tokenizer(), toy_pairs(4, seed=3), max_tokens=64)
    steps = example_steps(examples, batch_size=4, num_steps=1, seed=0, micro_batch_tokens=256)
    before = model.model.layers[0].mlp.up_proj.weight.detach().clone()
    train(model, steps, settings=settings(1, autocast="bfloat16"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    after = model.model.layers[0].mlp.up_proj.weight
    assert not torch.equal(after, before)
    assert not torch.equal(after, after.bfloat16().float())  # updates are not rounded either


def test_precision_is_part_of_the_recipe_where_it_is_not_float32() -> None:
    def recipe(*overrides: str) -> dict:
        cfg = composed("method=sft", *overrides)
        return plan(cfg, resolve(cfg)).read.trained.weights.identity()["recipe"]

    assert "dtype" not in recipe()
    assert recipe("train.dtype=bfloat16") == recipe() | {"dtype": "bfloat16"}
    assert "dtype" not in recipe("train=paper")
    with pytest.raises(ValueError, match=r"train.dtype=float16 is not one of float32, bfloat16"):
        composed("train.dtype=float16")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pretrain_tokens=2047"], r"pretrain_tokens=2047 is less than one .*model=nano-xs: at least 2048"),
        (["model.pretrain.tokens=10"], r"model.pretrain.tokens=10 is less than one .* at least 2048"),
        (["pretrain_tokens=500", "model.pretrain.batch_tokens=256"], None),
        (["pretrain_tokens=500", "model.pretrain.batch_tokens=64"], "no multiple of model.pretrain.sequence=256"),
        (
            ["pretrain_tokens=100", "model.pretrain.batch_tokens=256"],
            r"pretrain_tokens=100 .*\(a sequence has 256 tokens",
        ),
        (["pretrain_tokens=500", "model.pretrain.batch_tokens=256", "union=[nano-s]"], r"model=nano-s: at least 1024"),
        (["model.pretrain.optimizer=muon", "model.pretrain.matrix_lr=null"], "muon needs a learning rate of its own"),
        (["model.pretrain.optimizer=adamw", "model.pretrain.matrix_lr=0.03"], "adamw takes none"),
    ],
)
def test_pretraining_that_cannot_be_done_as_asked_is_refused(overrides: list[str], message: str | None) -> None:
    if message is None:
        assert tiny(*overrides).pretrain_tokens == 500
    else:
        with pytest.raises(ValueError, match=message):
            tiny(*overrides)
