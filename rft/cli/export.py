"""`rft export CELL --to DIR`: a finished cell for others: its training set and its model.

    rft export multirun_outputs/mine/nano-s_rft_f1_k4_s0-1a2b3c4d --to out
    out/data     train.jsonl, in other forms too (--form), whole pools (--pools), a card: load_dataset("out/data")
    out/model    safetensors, tokenizer, chat template, generation config, a model card: from_pretrained("out/model")
    out/adapter  with --adapter: the adapter of a model trained with LoRA, beside the merged model
    out/lm_eval  with --lm-eval: a task for lm-evaluation-harness that gives the record's score, answer for answer

The store must still hold the cell's stages (`--store`, by default that of the project).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.folders import DEFAULT_ROOT, STORE_HELP, store_of

FORMS = ("train", "messages", "alpaca", "prompt_completion")


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, write, print; 2 with a message when the cell cannot be exported."""
    parser = argparse.ArgumentParser(prog="rft export", description="A finished cell for others.")
    parser.add_argument("cell", type=Path, metavar="CELL", help="folder of a finished cell: STUDY/CELL")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a folder that is not there yet")
    parser.add_argument(
        "--form", action="append", choices=FORMS[1:], help="write the training set in this form too (may be repeated)"
    )
    parser.add_argument("--pools", action="store_true", help="all draws of every donor too, right and wrong")
    parser.add_argument("--adapter", action="store_true", help="the LoRA adapter too, beside the merged model")
    parser.add_argument("--lm-eval", action="store_true", help="a task for lm-evaluation-harness too, with its model")
    parser.add_argument("--data-only", action="store_true", help="leave the model out")
    parser.add_argument("--store", help=STORE_HELP)
    options = parser.parse_args(arguments)
    try:
        forms = (FORMS[0], *(form for form in FORMS if form in (options.form or ())))
        print(
            export(
                options.cell,
                to=options.to,
                store_root=options.store or store_of(options.cell.parent) or DEFAULT_ROOT,
                forms=forms,
                pools=options.pools,
                adapter=options.adapter,
                data_only=options.data_only,
                lm_eval=options.lm_eval,
            )
        )
    except (ValueError, OSError) as error:
        print(f"rft export: {error}", file=sys.stderr)
        return 2
    return 0


def export(
    cell: Path,
    *,
    to: Path,
    store_root: Path | str,
    forms: Sequence[str] = FORMS[:1],
    pools: bool = False,
    adapter: bool = False,
    data_only: bool = False,
    lm_eval: bool = False,
) -> str:
    """Write the folders, all of them or none; returns the text to print. Raises ValueError when the cell cannot be."""
    from rft.export.write import Asked, write_export

    return write_export(
        cell, to=to, store_root=str(store_root), asked=Asked(tuple(forms), pools, adapter, data_only, lm_eval)
    )
