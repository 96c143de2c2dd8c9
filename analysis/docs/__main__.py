"""`python -m analysis.docs [--check]`: fill the generated blocks of the pages, or say which differ from the records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str]) -> int:
    """Run the command line: 1 where `--check` finds a difference, 2 for a block that cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m analysis.docs", description="Pages filled from committed studies.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page and the records differ")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository (default: this one)")
    options = parser.parse_args(arguments)
    from analysis.docs.pages import Site  # late: matplotlib and scipy take a second

    site = Site(options.root)
    try:
        wanted = site.wanted()
        differences = site.differences(wanted)
    except (ValueError, OSError) as error:
        print(f"analysis.docs: {error}", file=sys.stderr)
        return 2
    if not options.check:
        site.write(wanted)
    for line in differences:
        print(f"{'differs' if options.check else 'written'}: {line}")
    if options.check and differences:
        print("pages and records differ: run `python -m analysis.docs`", file=sys.stderr)
    return int(options.check and bool(differences))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
