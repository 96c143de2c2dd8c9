"""Numbers of a command line that are none are refused, with what is allowed.

parser.add_argument("--problems", type=count)               # 1, 2, 3, ...
parser.add_argument("--minutes", type=finite(above=0.0))    # finite, more than 0
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable


def count(text: str) -> int:
    """A whole number from 1 on. Raises argparse.ArgumentTypeError, as `finite` does."""
    if not re.fullmatch(r"\+?[0-9]+", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is none of 1, 2, 3, ...")
    return int(text)


def finite(*, least: float = -math.inf, above: float = -math.inf) -> Callable[[str], float]:
    """Reads a finite number that is no less than `least` and more than `above`."""
    allowed = f"at least {least:g}" if math.isfinite(least) else f"above {above:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= least and value > above):
            raise argparse.ArgumentTypeError(f"{text!r} is no finite number {allowed}")
        return value

    return read
