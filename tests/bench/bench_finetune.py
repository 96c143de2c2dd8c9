"""Target tokens a second of one epoch of fine-tuning beside Hugging Face `Trainer` with its padding collator, one thread.

    python tests/bench/bench_finetune.py [MODEL_FOLDER] [--examples 512] [--batch 32] [--pairs 5] [--only finetune]

Same examples, effective batch, steps, optimiser and schedule; the means of their losses lie within 5 % of each other.
Rates are of processor seconds. `finetune` against Trainer, `packing` against one example a row, `pretrain` against a plain
loop over Hugging Face's forward pass with AdamW. The limit: tokens whose products of matrices, 6 FLOPs a parameter, the
machine could compute at these shapes; attention and all else left out.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

from rft.core.batching import example_steps, packed_steps
from rft.core.model import load_model
from rft.core.tokenization import Encoded, encode_examples, load_tokenizer
from rft.core.training import TrainSettings, train
from tests.bench.harness import PAIRS, alternate, in_process, row, tell
from tests.bench.limits import tokens_limit
from tests.bench.tiny_model import bench_model

LR = 1e-3
mean_losses: dict[str, float] = {}  # over the epoch's steps, by side


def labels(example: Encoded) -> list[int]:
    """Trainer's labels: -100 where there is no loss."""
    return [-100] * example.num_prompt + list(example.ids[example.num_prompt :])


def our_finetune(
    folder: Path, examples: list[Encoded], *, batch: int, packing: bool = False, lr: float = LR
) -> Callable[[], int]:
    """One epoch in the project's loop; returns target tokens."""

    loaded = load_model(folder, device="cpu", dtype="float32")

    def work() -> int:
        num_steps = len(examples) // batch
        model = copy.deepcopy(loaded)
        steps = example_steps(
            examples, batch_size=batch, num_steps=num_steps, seed=0, micro_batch_tokens=4096, packing=packing
        )
        losses: list[float] = []
        result = train(
            model,
            steps,
            settings=TrainSettings(num_steps, lr, 0.03, "cosine", 0.0, 1.0),
            log=lambda found: losses.append(float(found["loss_nats"])),
        )
        mean_losses["ours"] = statistics.fmean(losses)
        return result.target_tokens

    return work


def trainer_finetune(folder: Path, examples: list[Encoded], *, batch: int, lr: float = LR) -> Callable[[], int]:
    """One epoch in Trainer; returns target tokens."""
    rows = [
        {"input_ids": list(e.ids), "attention_mask": [1] * len(e.ids), "labels": labels(e)}
        for e in examples
    ]  # fmt: skip
    tokenizer = load_tokenizer(folder)
    loaded = load_model(folder, device="cpu", dtype="float32")

    def work() -> int:
        model = copy.deepcopy(loaded)
        with tempfile.TemporaryDirectory() as out:
            arguments = TrainingArguments(
                out, per_device_train_batch_size=batch, num_train_epochs=1, learning_rate=lr, lr_scheduler_type="cosine",
                warmup_steps=math.ceil(0.03 * len(rows) / batch), weight_decay=0.0, max_grad_norm=1.0, use_cpu=True,
                report_to=[], save_strategy="no", logging_steps=1, disable_tqdm=True, seed=0, dataloader_drop_last=True,
            )  # fmt: skip
            trainer = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorForSeq2Seq(tokenizer))
            losses: list[float] = []
            trainer.log = lambda logs, *_: losses.extend([float(logs["loss"])] if "loss" in logs else [])
            trainer.train()
        mean_losses["peer"] = statistics.fmean(losses)
        return sum(e.num_targets for e in examples[: len(rows) // batch * batch])

    return work


def our_pretrain(folder: Path, tokens: np.ndarray, *, num_steps: int) -> Callable[[], int]:
    """Packed pretraining in the project's loop; returns tokens."""

    loaded = load_model(folder, device="cpu", dtype="float32")

    def work() -> int:
        model = copy.deepcopy(loaded)
        steps = packed_steps(
            tokens, sequence=128, batch_tokens=4096, num_steps=num_steps, seed=0, micro_batch_tokens=4096
        )
        return train(model, steps, settings=TrainSettings(num_steps, LR, 0.03, "cosine", 0.0, 1.0)).target_tokens

    return work


def plain_pretrain(folder: Path, tokens: np.ndarray, *, num_steps: int) -> Callable[[], int]:
    """The same sequences through Hugging Face's forward pass and torch's default AdamW."""

    loaded = load_model(folder, device="cpu", dtype="float32")

    def work() -> int:
        model = copy.deepcopy(loaded).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0)
        steps = packed_steps(
            tokens, sequence=128, batch_tokens=4096, num_steps=num_steps, seed=0, micro_batch_tokens=4096
        )
        for step in steps:
            rows = torch.cat((step[0].inputs_BT, step[0].targets_N.view(len(step[0].inputs_BT), -1)[:, -1:]), 1)
            model(input_ids=rows, labels=rows).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return num_steps * 4096

    return work


def target_share(examples: Sequence[Encoded]) -> float:
    """Targets among all tokens of some examples: a forward pass takes the prompt too."""
    return sum(e.num_targets for e in examples) / sum(len(e.ids) for e in examples)


def refuse_unequal() -> None:
    """Raise RuntimeError where the two sides did not train alike; each goes through the examples in an order of its own."""
    if "peer" in mean_losses and not math.isclose(mean_losses["ours"], mean_losses["peer"], rel_tol=0.05):
        raise RuntimeError(f"unequal losses: {mean_losses}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--examples", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--only", choices=("finetune", "packing", "pretrain"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder, pairs = bench_model(args.folder)
    examples = encode_examples(load_tokenizer(folder), pairs[: args.examples], max_tokens=512)
    tokens = np.concatenate([np.asarray(e.ids, dtype=np.int32) for e in examples])
    ours = our_finetune(folder, examples, batch=args.batch)
    works = {
        "finetune": (
            ours,
            trainer_finetune(folder, examples, batch=args.batch),
            "Hugging Face Trainer, equal loss",
            2.5,
        ),
        "packing": (our_finetune(folder, examples, batch=args.batch, packing=True), ours, "one example a row", None),
        "pretrain": (
            our_pretrain(folder, tokens, num_steps=12),
            plain_pretrain(folder, tokens, num_steps=12),
            "a plain loop over Hugging Face's model and torch's AdamW",
            2.0,
        ),
    }
    limit = tokens_limit(folder, rows=4096, flops_per_parameter=6.0)
    targets = target_share(examples)
    for name, (side, peer, against, must) in works.items():
        if args.only not in (None, name):
            continue
        mean_losses.clear()
        costs = alternate(lambda side=side: in_process(side), lambda peer=peer: in_process(peer), pairs=args.pairs)
        refuse_unequal()
        found = row(
            name, costs, figure=lambda c: c.per_cpu_s, unit="target tokens/CPU s", must=must,
            limit=limit if name == "pretrain" else limit * targets,
            work=f"{len(examples)} examples, batches of {args.batch}" if name != "pretrain" else "12 steps of 4,096 tokens",
            against=against, limit_is="products of matrices alone",
        )  # fmt: skip
        tell(found)


if __name__ == "__main__":
    main()
