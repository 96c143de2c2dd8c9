"""`rft verify DIR`: does a study still say what its files give: digests, scores, grades, and stages computed again.

    rft verify multirun_outputs/mine                              # all that needs no model
    rft verify multirun_outputs/mine --stages select,human_set    # these kinds of stages computed again and compared
    rft verify multirun_outputs/mine --sample 2                   # two stages of every kind, training among them
    rft verify multirun_outputs/mine --store s3://lab/rft          # of a bucket: files are brought into the cache
    rft verify multirun_outputs/mine --config-dir my_conf          # of a sweep that had configuration files of one's own
    rft verify multirun_outputs/reference/quickstart              # an archive: all that it holds

Exit status 0: nothing differs; 1: something does, each thing named; 2: DIR is no study. What could not be checked is listed
with the reason. Neither the study nor its store is written to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.folders import STORE_HELP, store_of

OWN_HELP = "the folder of configuration files that the sweep was given by --config-dir; never taken from a record"


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, check, print."""
    parser = argparse.ArgumentParser(prog="rft verify", description="Check a study against its own files and stages.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the study, live or archived")
    parser.add_argument(
        "--stages", default="", metavar="KIND,...", help="kinds of stages to compute again; all: every kind"
    )
    parser.add_argument(
        "--sample", type=int, metavar="N", help="compute again at most N stages of each (of every) kind"
    )
    parser.add_argument("--store", help=STORE_HELP)
    parser.add_argument("--config-dir", type=Path, metavar="OWN", help=OWN_HELP)
    options = parser.parse_args(arguments)
    from rft.check.finding import failed, summary_text
    from rft.check.verify import Asked, verify

    kinds = tuple(word for word in options.stages.split(",") if word)
    try:
        if options.sample is not None and options.sample < 1:
            raise ValueError(f"--sample {options.sample}: give a number from 1")
        store, own = options.store or store_of(options.folder), own_files(options.config_dir)
        found = verify(options.folder, Asked(store, kinds, options.sample, own))
    except (ValueError, OSError) as error:
        print(f"rft verify: {error}", file=sys.stderr)
        return 2
    print(summary_text(found))
    return int(failed(found))


def own_files(folder: Path | None) -> Path | None:
    """The folder, if one was named. Raises ValueError where there is none."""
    if folder is not None and not folder.is_dir():
        raise ValueError(f"--config-dir {folder}: there is no such folder; give the one that the sweep was run with")
    return folder
