"""`rft explain DIR CELL`: from a number back to the stages, code, packages and machine that made it.

    rft explain multirun_outputs/mine nano-s_sft_f1_s0-1a2b3c4d
    rft explain multirun_outputs/mine nano-s_sft_f1 -- train.lr=2e-3       # which stages would run again, and why
    rft explain multirun_outputs/mine nano-s_sft_f1 -- nano-s_sft_f0.5     # against another cell of the study

A cell is named by its id or its beginning. Without the store of its stages (`--store`) their inputs and fields are not known.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.cli.verify import OWN_HELP, own_files
from rft.folders import STORE_HELP, store_of


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, print; 2 with a message for what there is not."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    besides = list(arguments[place + 1 :])
    parser = argparse.ArgumentParser(
        prog="rft explain",
        usage="rft explain [-h] [--store STORE] [--config-dir OWN] DIR CELL [-- OTHER | -- key=value ...]",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the study, live or archived")
    parser.add_argument("cell", metavar="CELL", help="a cell's id, or its beginning")
    parser.add_argument("--store", help=STORE_HELP)
    parser.add_argument("--config-dir", type=Path, metavar="OWN", help=OWN_HELP)
    options = parser.parse_args(arguments[:place])
    try:
        own = own_files(options.config_dir)
        print(text_of(options.folder, options.cell, besides, store_root=options.store, config_dir=own))
    except (ValueError, OSError) as error:
        print(f"rft explain: {error}", file=sys.stderr)
        return 2
    return 0


def text_of(
    folder: Path, cell: str, besides: Sequence[str], *, store_root: str | None, config_dir: Path | None = None
) -> str:
    """The text. Raises ValueError for a cell that there is not, and for words that do not work."""
    from rft.check.explain import explain, explain_other, explain_overrides, find_cell
    from rft.infra.stores import named_store

    root, record = store_root or store_of(folder), find_cell(folder, cell)
    store = None if root is None else named_store(root)
    if not besides:
        return explain(record, store=store)
    if len(besides) == 1 and "=" not in besides[0]:
        return explain_other(record, find_cell(folder, besides[0]), store=store)
    return explain_overrides(record, besides, store=store, config_dir=config_dir)
