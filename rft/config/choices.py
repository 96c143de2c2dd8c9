"""Settings whose values are names: one Enum each, with what every name means.

>>> [rule.value for rule in AllocationRule]
['uniform', 'proportional']
"""

from __future__ import annotations

from enum import Enum


class ModelSource(Enum):
    """Where a base model comes from."""

    pretrain = "pretrain"  # trained here from scratch on the data set's corpus
    imported = "imported"  # a Hugging Face folder or hub id


class DataKind(Enum):
    """Which reader makes the problems."""

    world = "world"  # the embedded generated world
    jsonl = "jsonl"  # files of {question, answer}: GSM8K and the user's own


class ServerKind(Enum):
    """What a server understands besides OpenAI's standard fields: there its own defaults (top_k, penalties) are undone."""

    plain = "plain"  # the standard fields alone
    openai = "openai"  # the same; a chat's length is max_completion_tokens
    vllm = "vllm"
    sglang = "sglang"
    tgi = "tgi"  # the standard fields; top_p is left out at 1, which it refuses
    transformers = "transformers"  # `transformers serve`, greedy unless told otherwise


class Numerics(Enum):
    """Which floating-point kernels compute (rft.infra.numerics): sums, and so pretrained bases, differ between them."""

    native = "native"  # the processor's fastest
    portable = "portable"  # those that every x86-64 machine has, bit for bit the same; slower


class Optimizer(Enum):
    """Which rule moves the weights in pretraining."""

    adamw = "adamw"  # all of them
    muon = "muon"  # Muon the hidden matrices (rft.core.muon), AdamW embeddings, head and norms


class Solutions(Enum):
    """Which solutions of a question count as human, where a training file has several."""

    first = "first"
    all = "all"


class OnFault(Enum):
    """What becomes of rows that cannot be used as they are."""

    error = "error"  # all of them are named, nothing runs
    drop = "drop"  # left out, and counted in the record


class GoldFrom(Enum):
    """Where a row's solution states the gold answer, if no field of its own does."""

    marker = "marker"  # behind its last `####`
    boxed = "boxed"  # in its last \boxed{...}


class OnTooLong(Enum):
    """What becomes of training examples of more than train.max_tokens."""

    error = "error"  # nothing runs
    drop = "drop"  # left out, and counted in the record
    truncate = "truncate"  # cut behind the limit, without an end of sequence, and counted in the record


class SampleFrom(Enum):
    """Which questions RFT samples at a data fraction below 1."""

    own = "own"  # the questions of the fraction
    all = "all"  # every training question of the data set


class Split(Enum):
    """Which problems are scored."""

    test = "test"
    validation = "validation"


class TuneFor(Enum):
    """For what a recipe is chosen once."""

    model = "model"  # on all of its human problems; cells of every fraction follow it
    fraction = "fraction"  # on those of each fraction


class ThinTo(Enum):
    """Whether a union's kept paths are thinned, to compare unions at equal numbers of paths."""

    none = "none"
    own = "own"  # to as many paths as the model's own pool with as many draws keeps, by seeded choice


class Allocate(Enum):
    """How the draws of a pool are spent on questions, k to each on average."""

    uniform = "uniform"  # k to each
    by_difficulty = "by_difficulty"  # more to those that are seldom answered, see `AllocationConfig`


class AllocationRule(Enum):
    """How many correct draws are wanted of a question (DART-Math, Tong et al. 2024)."""

    uniform = "uniform"  # of each the same number
    proportional = "proportional"  # that number times its failure rate over the largest one, at least 1


class EpochRule(Enum):
    """Epochs at a data fraction (paper appendix A.2)."""

    fixed = "fixed"  # the same number of epochs at every fraction
    per_fraction = "per_fraction"  # epochs / data_frac: the same number of steps at every fraction
