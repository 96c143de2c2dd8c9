"""Models: building, training, scoring and sampling. Everything here may import torch; nothing here touches the store or
W&B.
"""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]  # (steps or solutions done, number of all): called now and then by long work
