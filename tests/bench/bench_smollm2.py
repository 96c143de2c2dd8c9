"""SmolLM2-135M on GSM8K: sampling beside Hugging Face `generate`, fine-tuning beside its Trainer, one thread each.

    make smollm2
    python tests/bench/bench_smollm2.py [MODEL_FOLDER] [GSM8K_TRAIN.jsonl] [--pairs 1] [--steps 20] [--only sampling]

Sampling: 16 questions, k = 4, 128 tokens; all tokens up to the end or the limit count, since an untrained model rarely ends.
Fine-tuning: so many steps of four examples, equal loss. Needs the model of `make smollm2`; without it nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Prompt, encode_examples, load_tokenizer
from tests.bench.bench_finetune import our_finetune, refuse_unequal, target_share, trainer_finetune
from tests.bench.bench_sampling import our_work, peer_work
from tests.bench.harness import GSM8K, REPOSITORY, alternate, in_process, row, tell
from tests.bench.limits import tokens_limit

MODEL = REPOSITORY / "multirun_outputs" / ".models" / "smollm2-135m"
QUESTIONS, DRAWS, LENGTH, BATCH = 16, 4, 128, 4
PEER_BATCHES = (16, 32, 64)


LR = 1e-4  # at 1e-3 the order of the examples, which is each side's own, moves the mean loss by a tenth
LIMIT = "products of matrices alone"


def problems(source: Path, count: int) -> list[tuple[Prompt, str]]:
    """Questions with the words that ask for a solution, and their solutions."""
    with open(source, encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(count), strict=False)]
    return [(Prompt(f"Question: {found['question']}\nAnswer:"), f" {found['answer']}") for found in rows]


def tell_sampling(folder: Path, source: Path, pairs: int) -> None:
    """Both engines beside the peer at its best batch."""
    prompts = [prompt for prompt, _ in problems(source, QUESTIONS)]
    long = partial(peer_work, folder, prompts, DRAWS, length=LENGTH, cut=True)
    short = partial(peer_work, folder, prompts, DRAWS, length=LENGTH // 8, cut=True)  # to find the batch
    batch = max(PEER_BATCHES, key=lambda size: in_process(short(size)).per_cpu_s)
    limit = tokens_limit(folder, rows=QUESTIONS * DRAWS, flops_per_parameter=2.0)
    for engine in ("ctranslate2", "torch"):
        sampler = open_sampler(engine, folder, Place("cpu", threads=1, dtype="float32"))
        ours = our_work(sampler, prompts, DRAWS, length=LENGTH, cut=True)
        costs = alternate(partial(in_process, ours), partial(in_process, long(batch)), pairs=pairs)
        found = row(
            f"sampling-smollm2-{engine}", costs, figure=lambda c: c.per_cpu_s, unit="tokens/CPU s", must=3.0,
            limit=limit, limit_is=LIMIT,
            work=f"{QUESTIONS} GSM8K questions, k = {DRAWS}, {LENGTH} tokens, one thread",
            against=f"Hugging Face generate, batch {batch}",
        )  # fmt: skip
        tell(found)
        sampler.close()


def tell_finetune(folder: Path, source: Path, *, pairs: int, steps: int) -> None:
    """Fine-tuning in full."""
    examples = encode_examples(load_tokenizer(folder), problems(source, steps * BATCH), max_tokens=512)
    ours, peer = (side(folder, examples, batch=BATCH, lr=LR) for side in (our_finetune, trainer_finetune))
    costs = alternate(partial(in_process, ours), partial(in_process, peer), pairs=pairs)
    refuse_unequal()
    limit = tokens_limit(folder, rows=512, flops_per_parameter=6.0) * target_share(examples)
    words = {
        "limit_is": LIMIT,
        "work": f"{steps} steps of {BATCH} GSM8K examples",
        "against": "Hugging Face Trainer, equal loss",
    }
    tell(
        row(
            "finetune-smollm2",
            costs,
            figure=lambda c: c.per_cpu_s,
            unit="target tokens/CPU s",
            must=1.5,
            limit=limit,
            **words,
        )
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=MODEL)
    parser.add_argument("source", type=Path, nargs="?", default=GSM8K)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--only", choices=("sampling", "finetune"))
    options = parser.parse_args()
    if not options.folder.is_dir() or not options.source.is_file():
        sys.exit(f"bench_smollm2 needs {options.folder} (make smollm2) and {options.source}")
    torch.set_num_threads(1)
    if options.only != "finetune":
        tell_sampling(options.folder, options.source, options.pairs)
    if options.only != "sampling":
        tell_finetune(options.folder, options.source, pairs=options.pairs, steps=options.steps)


if __name__ == "__main__":
    main()
