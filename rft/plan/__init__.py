"""From a configuration to stages: what a cell rests on, what it would cost, and what planning must know of the outside."""
