"""How large each measurement is: on a GPU, and at toy size on a CPU, where the script itself is tested.

sizes = SMALL if small else FULL
sizes.model.num_layers, sizes.device
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A Llama's shape."""

    num_layers: int
    width: int
    mlp_width: int
    num_heads: int
    num_kv_heads: int
    vocabulary: int


@dataclass(frozen=True)
class Sizes:
    """Everything that is large on a GPU and small in the test."""

    device: str
    model: Shape  # trained and sampled
    cell: Shape  # of the two cells that share a GPU
    matrix: int  # rows of the square product that measures the peak
    copy_bytes: int
    sequence: int
    rows_per_step: int  # sequences of one optimiser step
    micro_rows: tuple[int, ...]  # sequences of one forward pass, each tried
    probe_steps: int  # timed steps while trying
    timed_steps: int
    warm_steps: int
    packed_steps: int
    packed_batch: int  # examples of one step in the packing part
    packed_tokens: int  # of one forward pass there
    num_prompts: int
    num_draws: int
    new_tokens: int
    batches: tuple[int, ...]  # rows decoded at once, each tried
    cell_steps: int
    cell_prompts: int
    quickstart: tuple[str, ...]  # further words of its command line


LLAMA_1B = Shape(16, 2048, 8192, 32, 8, 128_256)  # Llama 3.2 1B
SMOL = Shape(30, 576, 1536, 9, 3, 49_152)  # SmolLM2-135M
TOY = Shape(2, 32, 64, 4, 2, 256)

FULL = Sizes(
    device="cuda",
    model=LLAMA_1B,
    cell=SMOL,
    matrix=8192,
    copy_bytes=4 << 30,
    sequence=512,
    rows_per_step=32,
    micro_rows=(8, 16),
    probe_steps=3,
    timed_steps=20,
    warm_steps=2,
    packed_steps=5,
    packed_batch=128,
    packed_tokens=8192,
    num_prompts=256,
    num_draws=16,
    new_tokens=64,
    batches=(512, 1024, 2048),
    cell_steps=100,
    cell_prompts=128,
    quickstart=("hydra.launcher.workers=8",),
)

SMALL = Sizes(
    device="cpu",
    model=TOY,
    cell=TOY,
    matrix=128,
    copy_bytes=1 << 20,
    sequence=16,
    rows_per_step=4,
    micro_rows=(2, 4),
    probe_steps=1,
    timed_steps=2,
    warm_steps=1,
    packed_steps=2,
    packed_batch=8,
    packed_tokens=256,
    num_prompts=8,
    num_draws=2,
    new_tokens=6,
    batches=(4, 16),
    cell_steps=2,
    cell_prompts=4,
    quickstart=(
        "hydra.launcher.workers=2",
        "~hydra.sweeper.grids.icl",
        "~hydra.sweeper.grids.rft",
        "~hydra.sweeper.grids.best",
        "~hydra.sweeper.grids.controls",
        "model=nano-xs",
        "pretrain_tokens=4096",
        "data.num_train=16",
        "data.num_pool=32",
        "data.num_test=8",
        "data.eval_problems=8",
        "loss.max_tokens=512",
        "train.epochs=1",
        "runtime.threads=1",
    ),
)
