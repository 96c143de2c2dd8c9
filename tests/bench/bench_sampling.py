"""Useful tokens per second of the samplers beside Hugging Face `generate` at its best batch size, one thread each.

    python tests/bench/bench_sampling.py [MODEL_FOLDER] [--problems 64] [--draws 1 4 16 32 64 256] [--pairs 5]
    python tests/bench/bench_sampling.py --all-cores --problems 256        # wall clock, on an idle machine

Useful: tokens of finished solutions; padding, dead rows and truncated solutions are not counted. Opening a model (and
converting it) is left out on both sides. Rates are of processor seconds. The limit: tokens whose products of matrices, each
token's 2 FLOPs a parameter, the machine could compute at a decoder's shapes with 512 rows; attention and all else left out.

`--all-cores`: what a sweep does, a process of one thread for every core, beside one `generate` with as many threads as serve
it best. Rates are of wall clock there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rft.core.model import load_model
from rft.core.sampling.base import Sampler
from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Prompt, load_tokenizer
from tests.bench.harness import PAIRS, Cost, alternate, in_process, row, tell
from tests.bench.limits import tokens_limit
from tests.bench.tiny_model import bench_model

MAX_NEW_TOKENS = 96
ROWS = 512  # decoded at once
MAIN_DRAWS = 32
PEER_BATCHES = (32, 64, 128, 256, 512, 1024)


def our_work(
    sampler: Sampler, prompts: list[Prompt], draws: int, *, length: int = MAX_NEW_TOKENS, cut: bool = False
) -> Callable[[], int]:
    """One sampling call that returns its useful tokens; `cut`: those of solutions that reach the length count too."""

    def work() -> int:
        rows = sampler.sample(
            prompts, num_draws=draws, temperature=1.0, top_p=1.0, max_new_tokens=length, stop=[], seed=0
        )
        return sum(solution.num_tokens for row in rows for solution in row if cut or not solution.truncated)

    return work


def peer_work(
    folder: Path, prompts: list[Prompt], draws: int, batch: int, *, length: int = MAX_NEW_TOKENS, cut: bool = False
) -> Callable[[], int]:
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
                **inputs, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=length,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
            new = out[:, inputs["input_ids"].shape[1] :] == tokenizer.eos_token_id
            useful += int((new.int().argmax(1) + 1)[new.any(1)].sum())
            useful += cut * new.shape[1] * int((~new.any(1)).sum())
        return useful

    return work


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--draws", type=int, nargs="+", default=[32])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--all-cores", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder, pairs = bench_model(args.folder)
    prompts = [prompt for prompt, _ in pairs[: args.problems]]
    if args.all_cores:
        tell_all_cores(folder, prompts, pairs=args.pairs)
        return
    limit = tokens_limit(folder, rows=ROWS, flops_per_parameter=2.0)
    for draws in args.draws:
        peer, batch = best_peer(folder, prompts, draws)
        for engine in ("ctranslate2", "torch"):
            sampler = open_sampler(engine, folder, Place("cpu", threads=1, dtype="float32", batch=ROWS))
            ours = our_work(sampler, prompts, draws)
            costs = alternate(partial(in_process, ours), partial(in_process, peer), pairs=args.pairs)
            found = row(
                f"sampling-{engine}-k{draws}", costs, figure=lambda c: c.per_cpu_s, unit="useful tokens/CPU s",
                limit=limit, must=10.0 if draws == MAIN_DRAWS else None,
                work=f"{len(prompts)} questions, k = {draws}, one thread",
                against=f"Hugging Face generate, batch {batch}", limit_is="products of matrices alone",
            )  # fmt: skip
            tell(found)
            sampler.close()


PARTS_A_CORE = 4  # of the questions, as the shards of a pool
_OPEN: dict[str, Sampler] = {}  # a process's own


def _open(folder: Path) -> None:
    torch.set_num_threads(1)
    _OPEN["sampler"] = open_sampler("ctranslate2", folder, Place("cpu", threads=1, dtype="float32", batch=ROWS))


def _useful(prompts: list[Prompt]) -> int:
    return our_work(_OPEN["sampler"], prompts, MAIN_DRAWS)()


@contextmanager
def all_cores(folder: Path, prompts: Sequence[Prompt]) -> Iterator[Callable[[], int]]:
    """One process of one thread for every core, each with the model open; the work: parts of the questions, dealt in turn."""
    cores = os.cpu_count() or 1
    parts = [list(prompts[start :: PARTS_A_CORE * cores]) for start in range(PARTS_A_CORE * cores)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context, initializer=_open, initargs=(folder,)) as pool:
        list(pool.map(_useful, [part[:1] for part in parts]))  # every process is there
        yield lambda: sum(pool.map(_useful, parts))


def tell_all_cores(folder: Path, prompts: list[Prompt], *, pairs: int) -> None:
    """Wall clock of a machine's cores together."""
    found = []
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        peer, batch = best_peer(folder, prompts, MAIN_DRAWS, rate=lambda cost: cost.units / cost.wall_s)
        few = peer_work(folder, prompts[:32], MAIN_DRAWS, batch)
        found.append((in_process(few).wall_s, threads, peer, batch))
    _, threads, peer, batch = min(found, key=lambda one: one[0])
    torch.set_num_threads(threads)
    with all_cores(folder, prompts) as ours:
        costs = alternate(partial(in_process, ours), partial(in_process, peer), pairs=pairs)
    tell(
        row(
            "sampling", costs, figure=lambda c: c.units / c.wall_s, unit="useful tokens/s", must=10.0,
            work=f"{len(prompts)} questions, k = {MAIN_DRAWS}, {os.cpu_count()} cores",
            against=f"Hugging Face generate, batch {batch}, threads {threads}",
        )
    )  # fmt: skip


def best_peer(
    folder: Path, prompts: list[Prompt], draws: int, *, rate: Callable[[Cost], float] = lambda cost: cost.per_cpu_s
) -> tuple[Callable[[], int], int]:
    """The peer at the batch size that is quickest for it, found on part of the work, and that size."""
    num_rows = len(prompts) * draws
    batches = [batch for batch in PEER_BATCHES if batch <= num_rows] or [num_rows]
    few = prompts[: max(1, 1024 // draws)]
    best = max(batches, key=lambda batch: rate(in_process(peer_work(folder, few, draws, batch))))
    return peer_work(folder, prompts, draws, best), best


if __name__ == "__main__":
    main()
