"""Numbers for people: sizes, times, counts.

>>> size_text(1.5e9), count_text(3e6), duration_text(5400), age_text(300_000)
('1.5 GB', '3.0M', '90.0 min', '3.5 d')
"""

from __future__ import annotations

_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def size_text(num_bytes: float) -> str:
    """A number of bytes, as '1.5 GB'."""
    return next(
        (f"{num_bytes / limit:.1f} {unit}" for limit, unit in _SIZES if num_bytes >= limit), f"{num_bytes:.0f} B"
    )


def count_text(value: float) -> str:
    """A count, as '3.0M'."""
    return next((f"{value / limit:.1f}{unit}" for limit, unit in _COUNTS if value >= limit), f"{value:.0f}")


def duration_text(seconds: float) -> str:
    """A duration in seconds, as '90.0 min': in the larger unit from two of it on."""
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.0f} s"


def age_text(seconds: float) -> str:
    """An age in seconds, as '3.5 d'."""
    return next(
        (f"{seconds / limit:.1f} {unit}" for limit, unit in _AGES if seconds >= limit), f"{max(0.0, seconds):.0f} s"
    )
