"""`rft run [-m] [key=value ...]`: compute a cell or a sweep; the same as `python -m rft.run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Hand over to rft.run, which reads the command line through Hydra."""
    from rft import run

    sys.argv[1:] = arguments
    run.main()
    return 0
