"""What each model of a sweep asks of GPUs of one size, before there is one: below a dry run's plan with `plan.gpu_gb=80`.

    print(memory_text(cfgs, gpu_gb=80))

memory a GPU (GB), of 80, of which 72 are counted on: ...
model      what                          GPUs  weights  gradients  moments  activations  gathered  total
llama-7b   full, as configured              1     27.0       27.0     53.9         31.4       0.0  139.3  does not fit
llama-7b   full, 2 processes, shards, ...   2     13.5 ...                                               fits

The stages `loss` and `scores` read a model on one GPU, with weights in loss.dtype and select.dtype: a line for each that the
sweep has. Training is estimated by the function that preflight asks of real models (rft.core.memory), on a model that has
the shape alone. Rows are as long as train.max_tokens allows, each token a target. What does not fit as configured is shown
with the first setting that does; where none does, the line says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.config import ModelConfig, StudyConfig
from rft.core.forward import HEAD_CHUNK
from rft.core.memory import FLOAT, Counted, TrainingMemory
from rft.core.shapes import ModelShape, counted
from rft.plan.own_model import num_stored
from rft.plan.yields import EMBEDDED_VOCAB
from rft.text.choosing import CHOOSERS, POLICY

COUNTED_ON = 0.9  # of a GPU; CUDA itself, libraries and gaps between blocks take the rest
LORA_RANK = 16  # of the lines on adapters
PROCESSES = (1, 2, 4, 8)  # a training's processes share one machine
TENSOR_PARALLEL = (1, 2, 4, 8)
BYTES_OF = {"float32": 4, "bfloat16": 2, "float16": 2}
FEWEST_ROWS = 16  # solutions at once below which a GPU mostly waits for its weights
GB, GIB = 1e9, 2**30
WIDTH = 78


@dataclass(frozen=True)
class Setting:
    """How a model is trained: fields of `runtime` that decide memory, and the adapters' rank."""

    processes: int
    recomputing: bool
    micro_batch_tokens: int
    lora_rank: int | None
    shard: bool

    @staticmethod
    def of(cfg: StudyConfig, *, lora_rank: int | None) -> Setting:
        """As configured."""
        run = cfg.runtime
        return Setting(run.processes, run.gradient_checkpointing, run.micro_batch_tokens, lora_rank, run.shard)

    def text(self) -> str:
        """In keys of the configuration."""
        keys = [f"micro_batch_tokens={self.micro_batch_tokens}"]
        keys += [f"processes={self.processes}"] if self.processes > 1 else []
        keys += ["shard=true"] if self.shard else []
        return " ".join([*keys, *(["gradient_checkpointing=true"] if self.recomputing else [])])


@dataclass(frozen=True)
class SamplingMemory:
    """Of one of the GPUs that share a model. Bytes."""

    gpus: int
    weights: float
    cache_each: float  # keys and values of one solution of full length
    rows: int  # solutions that fit at once

    @property
    def total(self) -> float:
        """With as many solutions as fit."""
        return self.weights + self.rows * self.cache_each


@dataclass(frozen=True)
class ReadingMemory:
    """Of the one GPU on which a model reads text, without gradients. Bytes."""

    weights: float
    activations: float  # of one layer at a time, then of the logits of a few positions

    @property
    def total(self) -> float:
        """Both."""
        return self.weights + self.activations


def memory_text(cfgs: Sequence[StudyConfig], *, gpu_gb: float) -> str:
    """The table, with a line on each model whose shape is not known."""
    first = cfgs[0]
    room = COUNTED_ON * gpu_gb * GIB  # a GPU is sold as 80 GB that has 80 GiB
    models = {model.name: model for cfg in cfgs for model in (cfg.model, *cfg.donors.values())}
    lines = [
        f"memory of each GPU (1e9 bytes), of {gpu_gb:g} GB, of which {room / GB:.1f} are counted on; rows of "
        f"{first.train.max_tokens} tokens, products in {first.train.dtype}, weights and optimiser in float32",
        f"{'model':<12} {'runtime':<{WIDTH}} {'GPUs':>4} {'weights':>7} {'grads':>6} {'moments':>7} {'activ.':>6} "
        f"{'gather':>6} {'total':>6}",
    ]
    for model in models.values():
        shape = shape_in(model)
        if shape is None:
            lines.append(f"{model.name:<12} its file says no shape, so that its memory is not estimated")
            continue
        lines += _trainings(model.name, shape, first, room=room)
        lines.append(_sampling_line(model.name, sampling_memory(shape, first, room=room)))
        for key, dtype in readings(cfgs, model):
            lines += _reading_lines(model.name, shape, key, dtype, first.runtime.micro_batch_tokens, room=room)
    return "\n".join([*lines, *_reward_lines(cfgs, room=room)])


def shape_in(model: ModelConfig) -> ModelShape | None:
    """What a model's file says of its shape; None where it does not."""
    if model.arch is not None:
        arch = model.arch
        return ModelShape(
            arch.num_layers, arch.width, arch.num_heads, arch.num_kv_heads, arch.mlp_width, EMBEDDED_VOCAB, tied=True
        )
    if model.shape is None or model.num_layers is None or model.width is None:
        return None
    outer = (model.num_params or 0) - (model.num_params_non_embedding or 0)
    tied = outer == model.shape.vocab * model.width
    return ModelShape(model.num_layers, model.width, **vars(model.shape), tied=tied)


@dataclass(frozen=True)
class Trainee:
    """A model to train in full or with adapters, counted once for all settings."""

    counted: Counted
    max_tokens: int  # of an example

    @staticmethod
    def of(shape: ModelShape, cfg: StudyConfig, *, lora_rank: int | None) -> Trainee:
        """With the products and examples that are configured."""
        autocast = None if cfg.train.dtype == "float32" else cfg.train.dtype
        return Trainee(
            counted(shape, width=cfg.train.max_tokens, autocast=autocast, lora_rank=lora_rank), cfg.train.max_tokens
        )

    def memory(self, setting: Setting) -> TrainingMemory:
        """Of each process, which takes its share of the rows."""
        return self.counted.memory(
            max(self.max_tokens, setting.micro_batch_tokens // setting.processes),
            shards=setting.processes if setting.shard else 1,
            recomputing=setting.recomputing,
        )

    def fitting(self, configured: Setting, *, room: float) -> Setting | None:
        """The first setting that fits: fewer tokens at once, layers computed again, then more processes."""
        for processes in PROCESSES:
            one_row = processes * self.max_tokens
            for again in (False, True):
                for tokens in dict.fromkeys([max(configured.micro_batch_tokens, one_row), one_row]):
                    setting = Setting(processes, again, tokens, configured.lora_rank, processes > 1)
                    if self.memory(setting).total <= room:
                        return setting
        return None


def num_weights(shape: ModelShape) -> int:
    """Of the Llama form, without norms."""
    kv_width = shape.num_kv_heads * (shape.width // shape.num_heads)
    layer = 2 * shape.width**2 + 2 * shape.width * kv_width + 3 * shape.width * shape.mlp_width
    return shape.num_layers * layer + shape.vocab * shape.width * (1 if shape.tied else 2)


def sampling_memory(shape: ModelShape, cfg: StudyConfig, *, room: float) -> SamplingMemory:
    """On the fewest GPUs that hold the weights and some solutions; of the most there are where none does."""
    size = BYTES_OF[cfg.sampling.dtype]
    each = size * shape.cache_numbers * (cfg.data.max_prompt_tokens + cfg.data.max_new_tokens)
    found = [SamplingMemory(0, 0.0, 0.0, 0)]
    for gpus in TENSOR_PARALLEL:
        if shape.num_kv_heads % gpus and gpus % shape.num_kv_heads:
            continue
        weights = size * num_weights(shape) / gpus
        found.append(SamplingMemory(gpus, weights, each / gpus, max(0, int((room - weights) // (each / gpus)))))
        if found[-1].rows >= FEWEST_ROWS:
            break
    return found[-1]


def readings(cfgs: Sequence[StudyConfig], model: ModelConfig) -> list[tuple[str, str]]:
    """Where the sweep reads text with a model: (key of the weights' type, the type), each once."""
    own = [cfg for cfg in cfgs if cfg.model.name == model.name]
    drawing = [cfg for cfg in cfgs if model.name in (cfg.donors or {cfg.model.name})]
    found = [("loss.dtype", cfg.loss.dtype) for cfg in own]
    found += [("select.dtype", cfg.select.dtype) for cfg in drawing if cfg.select.choose != POLICY]
    return list(dict.fromkeys(found))


def reading_memory(shape: ModelShape, *, dtype: str, num_tokens: int) -> ReadingMemory:
    """With so many tokens at once, rounded up: six numbers of the stream's width and four of the MLP's, a normalised copy in
    float32; the head computes for some positions at a time (rft.core.forward), in the end in float32.
    """
    size = BYTES_OF[dtype]
    layer = num_tokens * (size * (6 * shape.width + 4 * shape.mlp_width) + FLOAT * shape.width)
    head = num_tokens * shape.width * size + HEAD_CHUNK * shape.vocab * (size + 2 * FLOAT)
    return ReadingMemory(size * num_weights(shape), max(layer, head))


def _reading_lines(
    name: str, shape: ModelShape, key: str, dtype: str, num_tokens: int, *, room: float
) -> Iterator[str]:
    """As configured, and what would fit where that does not."""
    stage = "loss" if key.startswith("loss") else "scores"
    for kind in dict.fromkeys([dtype, "bfloat16"]):
        needed = reading_memory(shape, dtype=kind, num_tokens=num_tokens)
        text, fits = f"stage {stage}, {key}={kind}", needed.total <= room
        yield (
            f"{name:<12} {text:<{WIDTH}} {1:>4} {needed.weights / GB:>7.1f} {'':>6} {'':>7} {needed.activations / GB:>6.1f} "
            f"{'':>6} {needed.total / GB:>6.1f} {'fits' if fits else 'does not fit'}"
        )
        if fits:
            return
    yield f"{name:<12} stage {stage}: no type of weights fits, and it reads a model on one GPU"


def _reward_lines(cfgs: Sequence[StudyConfig], *, room: float) -> Iterator[str]:
    """The weights of each reward model, whose shape nobody says."""
    asking = [
        cfg.select for cfg in cfgs if cfg.select.choose != POLICY and CHOOSERS[cfg.select.choose].needs_reward_model
    ]
    for folder, dtype in dict.fromkeys((one.reward_model, one.dtype) for one in asking):
        assert folder is not None, "refused before (rft.plan.validate)"
        weights = BYTES_OF[dtype] * num_stored(Path(folder).expanduser())
        text = f"stage choose, select.dtype={dtype}, {folder}"
        yield (
            f"{'reward':<12} {text:<{WIDTH}} {1:>4} {weights / GB:>7.1f} and a batch's activations: "
            f"{'fits' if weights <= room else 'does not fit'}"
        )


def _trainings(name: str, shape: ModelShape, cfg: StudyConfig, *, room: float) -> Iterator[str]:
    ranks = dict.fromkeys([cfg.train.lora_rank, LORA_RANK if cfg.train.lora_rank is None else cfg.train.lora_rank])
    for rank in ranks:
        what = "full" if rank is None else f"LoRA {rank}"
        configured = Setting.of(cfg, lora_rank=rank)
        trainee = Trainee.of(shape, cfg, lora_rank=rank)
        needed = trainee.memory(configured)
        yield _line(name, what, configured, needed, fits=needed.total <= room)
        if needed.total > room:
            other = trainee.fitting(configured, room=room)
            if other is None:
                yield f"{name:<12} {what}: no setting fits on one machine of {PROCESSES[-1]} such GPUs"
            else:
                yield _line(name, what, other, trainee.memory(other), fits=True)


def _line(name: str, what: str, setting: Setting, needed: TrainingMemory, *, fits: bool) -> str:
    parts = [getattr(needed, one.name) / GB for one in dataclasses.fields(needed)]
    weights, gradients, moments, activations, gathered = (f"{part:.1f}" for part in parts)
    text = f"{what}, {setting.text()}"
    return (
        f"{name:<12} {text:<{WIDTH}} {setting.processes:>4} {weights:>7} {gradients:>6} {moments:>7} {activations:>6} "
        f"{gathered:>6} {needed.total / GB:>6.1f} {'fits' if fits else 'does not fit'}"
    )


def _sampling_line(name: str, needed: SamplingMemory) -> str:
    text = f"sampling{f', tensor_parallel={needed.gpus} (vllm)' if needed.gpus > 1 else ''}"
    each = f"{needed.cache_each / GB:.2f} a solution: {needed.rows} at once"
    return f"{name:<12} {text:<{WIDTH}} {needed.gpus:>4} {needed.weights / GB:>7.1f} and {each}"
