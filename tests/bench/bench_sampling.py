"""Useful tokens per second of the samplers beside Hugging Face `generate` at its best batch size, one thread each.

    python tests/bench/bench_sampling.py [MODEL_FOLDER] [--problems 64] [--draws 32] [--rounds 3]

Useful: tokens of finished solutions; padding, dead rows and truncated solutions are not counted. Opening a model (and
converting it) is left out on both sides. Prints one JSON object per line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rft.core.model import load_model
from rft.core.sampling.base import Sampler
from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Prompt, load_tokenizer
from tests.bench.tiny_model import bench_model, paired, timed

MAX_NEW_TOKENS = 96
PEER_BATCHES = (32, 64, 128, 256, 512, 1024)


def our_work(sampler: Sampler, prompts: list[Prompt], draws: int) -> Callable[[], int]:
    """One sampling call that returns its useful tokens."""

    def work() -> int:
        rows = sampler.sample(
            prompts, num_draws=draws, temperature=1.0, top_p=1.0, max_new_tokens=MAX_NEW_TOKENS, stop=[], seed=0
        )
        return sum(solution.num_tokens for row in rows for solution in row if not solution.truncated)

    return work


def peer_work(folder: Path, prompts: list[Prompt], draws: int, batch: int) -> Callable[[], int]:
    """Hugging Face `generate` over the same (prompt, draw) rows, longest prompts first, left-padded with a mask."""
    model, tokenizer = load_model(folder, device="cpu", dtype="float32").eval(), load_tokenizer(folder)
    tokenizer.padding_side = "left"
    rows = [prompt for prompt in sorted(prompts, key=lambda prompt: -len(prompt.text.split())) for _ in range(draws)]

    def work() -> int:
        useful = 0
        for at in range(0, len(rows), batch):
            texts = [prompt.text for prompt in rows[at : at + batch]]
            inputs = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
            torch.manual_seed(at)
            out = model.generate(
                **inputs, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=MAX_NEW_TOKENS,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
            new = out[:, inputs["input_ids"].shape[1] :] == tokenizer.eos_token_id
            useful += int((new.int().argmax(1) + 1)[new.any(1)].sum())
        return useful

    return work


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder, pairs = bench_model(args.folder)
    prompts = [prompt for prompt, _ in pairs[: args.problems]]
    num_rows = len(prompts) * args.draws
    batches = [batch for batch in PEER_BATCHES if batch <= num_rows] or [num_rows]
    few = prompts[: max(1, 1024 // args.draws)]
    found = {batch: timed(peer_work(folder, few, args.draws, batch)) for batch in batches}
    best = max(found, key=lambda batch: found[batch])
    peer = peer_work(folder, prompts, args.draws, best)
    for engine in ("ctranslate2", "torch"):
        sampler = open_sampler(engine, folder, Place(device="cpu", threads=1, dtype="float32", batch=512))
        ours, theirs, ratio = paired(our_work(sampler, prompts, args.draws), peer, rounds=args.rounds)
        row = {
            "name": f"sampling-{engine}",
            "ours": round(ours),
            "peer": round(theirs),
            "unit": "useful tokens/s",
        }
        print(json.dumps({**row, "ratio": round(ratio, 2), "n": args.rounds, "peer_batch": best}), flush=True)
        sampler.close()


if __name__ == "__main__":
    main()
