"""What a configuration's fine-tuning will hold in memory, measured on the loaded base model and its longest examples.

memory_to_train(model, examples, cfg).total         # bytes of a process
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.config import StudyConfig
from rft.core.batching import cut_step
from rft.core.lora import add_lora, without_lora
from rft.core.memory import TrainingMemory, training_memory
from rft.core.model import Model
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
        learner = add_lora(model, rank=train.lora_rank, alpha=train.lora_alpha or 2 * train.lora_rank, seed=0)
    if runtime.gradient_checkpointing:
        learner.gradient_checkpointing_enable({"use_reentrant": False})
    try:
        return training_memory(
            learner,
            part,
            micro_batch_tokens=runtime.micro_batch_tokens,
            autocast=None if train.dtype == "float32" else train.dtype,
            shards=runtime.processes if runtime.shard else 1,
        )
    finally:
        if runtime.gradient_checkpointing:
            learner.gradient_checkpointing_disable()
        without_lora(learner)
