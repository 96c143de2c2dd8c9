"""What a configuration's fine-tuning will hold in memory, measured on the loaded base model and its longest examples.

memory_to_train(model, examples, cfg).total         # bytes of one process; on a processor all of them share the machine's
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.config import StudyConfig
from rft.core.batching import cut_step
from rft.core.lora import add_lora, without_lora
from rft.core.memory import TrainingMemory, training_memory
from rft.core.model import Model
from rft.core.recomputing import recompute_layers
from rft.core.tokenization import Encoded

NUM_EXAMPLES = 8
MAX_TOKENS = 1024  # in the micro-batch whose activations are counted


def memory_to_train(model: Model, examples: Sequence[Encoded], cfg: StudyConfig) -> TrainingMemory:
    """In full or with adapters, as `cfg` has it; the model is afterwards as it was."""
    train, runtime = cfg.train, cfg.runtime
    longest = sorted(examples, key=lambda example: -len(example.ids))[:NUM_EXAMPLES]
    part = cut_step(longest, micro_batch_tokens=min(runtime.micro_batch_tokens, MAX_TOKENS), packing=runtime.packing)[
        -1
    ]
    learner = model
    if train.lora_rank is not None:
        assert train.lora_alpha is not None, "filled in"
        learner = add_lora(model, rank=train.lora_rank, alpha=train.lora_alpha, seed=0)
    if runtime.gradient_checkpointing:
        recompute_layers(learner, on=True)
    try:
        return training_memory(
            learner,
            part,
            micro_batch_tokens=runtime.micro_batch_tokens // runtime.processes,  # each takes every n-th row
            autocast=None if train.dtype == "float32" else train.dtype,
            shards=runtime.processes if runtime.shard else 1,
        )
    finally:
        if runtime.gradient_checkpointing:
            recompute_layers(learner, on=False)
        without_lora(learner)
