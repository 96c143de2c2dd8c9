"""The configuration as dataclasses: types and meanings here, numbers in `conf/`, no number in both.

What changes results and what only changes speed are different classes: `RuntimeConfig`, `StoreConfig`, `TrackingConfig`,
`PlanConfig` and the study's name never enter a stage's identity; all the rest may.

    cfg: StudyConfig = OmegaConf.to_object(composed)     # rft.run does this once
    validate(cfg)                                        # ValueError with what it got, what is allowed, what to do
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Method(Enum):
    """How a cell's model comes about. The names are the paper's; the last three need the embedded world or issue controls."""

    icl = "icl"  # the base model with worked examples in the prompt
    sft = "sft"  # fine-tuned on the human paths
    sft_matched = "sft_matched"  # human paths repeated to the optimiser steps of the RFT cell with the same k
    sft_best = "sft_best"  # SFT with the number of epochs chosen on a validation split of the training data
    rft = "rft"  # human paths + distinct correct samples (paper section 3.3)
    oracle_paths = "oracle_paths"  # embedded world: as many true alternative paths as RFT kept
    fresh_human = "fresh_human"  # as many new human problems as RFT kept paths
    self_query = "self_query"  # paper appendix D
    self_revise = "self_revise"  # paper appendix D


class ModelSource(Enum):
    """Where a base model comes from."""

    pretrain = "pretrain"  # trained here from scratch on the data set's corpus
    imported = "imported"  # a Hugging Face folder or hub id


class DataKind(Enum):
    """Which reader makes the problems."""

    world = "world"  # the embedded generated world
    jsonl = "jsonl"  # files of {question, answer}: GSM8K and the user's own


class SampleFrom(Enum):
    """Which questions RFT samples at a data fraction below 1."""

    own = "own"  # the questions of the fraction
    all = "all"  # every training question of the data set


class Engine(Enum):
    """Sampling engine. `auto` is resolved before anything is hashed."""

    auto = "auto"
    ctranslate2 = "ctranslate2"
    torch = "torch"
    vllm = "vllm"


class Split(Enum):
    """Which problems are scored."""

    test = "test"
    validation = "validation"


class Thin(Enum):
    """Whether a union gives paths up, so that diversity of models is compared at equal numbers of paths."""

    none = "none"
    own = "own"  # to as many paths as the model's own pool with as many draws keeps, by seeded choice


class QueryMix(Enum):
    """What self_query trains on."""

    mixed = "mixed"  # the human pairs and the relabelled ones
    alone = "alone"  # the relabelled ones


class Relabel(Enum):
    """Which sampled paths self_query finds a question for, of those whose equations hold."""

    wrong = "wrong"  # those with a wrong answer: all that rejection sampling throws away
    all = "all"


class DraftChoice(Enum):
    """Which of a question's drafts self_revise trains on."""

    all = "all"  # an example for each
    farthest = "farthest"  # the one with the largest edit distance to the human path


class EpochRule(Enum):
    """Epochs at a data fraction (paper appendix A.2)."""

    fixed = "fixed"  # the same number of epochs at every fraction
    per_fraction = "per_fraction"  # epochs / data_frac: the same number of steps at every fraction


@dataclass
class ArchConfig:
    """Shape of a Llama model that is pretrained here."""

    num_layers: int
    width: int  # hidden size
    num_heads: int
    num_kv_heads: int
    mlp_width: int
    context: int  # longest sequence in tokens
    init_std: float  # of weight matrices at the start; narrow models need more than the usual 0.02
    embedding_std: float  # of the tied token embedding at the start
    rope_theta: float  # base of the rotary positions


@dataclass
class PretrainConfig:
    """Recipe of the pretraining stage."""

    tokens: int  # budget, annealed fully
    batch_tokens: int  # tokens an optimiser step
    sequence: int  # tokens a packed sequence
    lr: float
    warmup_frac: float
    weight_decay: float
    beta2: float  # of AdamW


@dataclass
class ModelConfig:
    """One base model: `conf/model/<name>.yaml`."""

    name: str
    family: str  # models of one family share architecture and corpus
    source: ModelSource
    lr: float  # peak learning rate of FULL fine-tuning, chosen once on validation (recorded in NOTES.md)
    arch: ArchConfig | None = None  # source=pretrain
    pretrain: PretrainConfig | None = None  # source=pretrain
    path: str | None = None  # source=imported: local folder or hub id
    prompt: str | None = None  # overrides the data set's prompt template
    post_trained: bool = False  # instruction-tuned models are left out of pretraining-loss fits
    num_params: int | None = None  # as published; measured where the model is here
    num_params_non_embedding: int | None = None
    num_layers: int | None = None  # for cost estimates of models that are not here
    width: int | None = None
    context: int | None = None
    pretrain_tokens: float | None = None  # tokens of its published pretraining
    published_loss: float | None = None  # as published, see published_loss_source; never mixed with measured loss
    published_loss_source: str | None = None
    licence: str | None = None


@dataclass
class WorldConfig:
    """The embedded word-problem world (rft.text.world)."""

    min_steps: int  # equations of a canonical solution, at least
    max_steps: int  # and at most
    num_graphs: int  # computation graphs, drawn with Zipf-like frequency
    max_distractors: int  # facts of a question that its answer does not need, at most
    human_style: float  # 0: no preferred style in human solutions; 0.9: nearly always the same
    composed_frac: float  # share of corpus documents that hold whole solved problems
    seed: int  # of graphs, pool, validation, test and corpus
    max_value: int = 60  # largest whole number: each is one token, and its arithmetic facts are in the corpus


@dataclass
class DataConfig:
    """One data set: `conf/data/<name>.yaml`."""

    name: str
    kind: DataKind
    num_train: int | None  # size of the full human set (data_frac = 1); null: all of the pool
    num_pool: int | None  # world: problems in the human pool
    num_validation: int  # problems held out of training for choosing epochs and learning rates
    num_test: int | None  # world: problems in the test set; jsonl: null
    eval_problems: int | None  # test problems scored, a fixed named prefix; null: all
    prompt: str  # prompt template, see rft.text.prompts
    rule: str  # grading rule, see rft.text.answers
    max_prompt_tokens: int
    max_new_tokens: int
    num_shots: int  # worked examples in an ICL prompt
    expected_question_tokens: int  # for estimates before anything is tokenized
    expected_solution_tokens: int
    world: WorldConfig | None = None
    train_path: str | None = None  # jsonl: file, folder or hub:<owner>/<name>[:<config>][@<revision>] (rft.infra.hub)
    test_path: str | None = None
    loss_path: str | None = None  # held-out text for the measured loss; null: world slice, or the committed text
    train_limit: int | None = None  # jsonl: only the first N rows; of a hub data set but GSM8K: its size, or fewer
    test_limit: int | None = None


@dataclass
class TrainConfig:
    """Fine-tuning recipe, one for SFT and RFT."""

    epochs: float
    epoch_rule: EpochRule
    batch_size: int  # examples an optimiser step
    lr: float | None  # null: the model's own
    warmup_frac: float
    schedule: str  # cosine | linear | constant
    weight_decay: float
    grad_clip: float
    max_tokens: int  # prompt and response; longer examples are refused
    dtype: str  # float32 | bfloat16: of the products (autocast); weights and optimiser stay float32
    epoch_grid: list[float]  # sft_best: numbers of epochs to choose from
    validation_frac: float  # sft_best on data without a validation split: share of the human subset held out to choose
    max_steps: int | None = None  # cap, for smoke runs
    lora_rank: int | None = None  # null: full fine-tuning; models' `lr` is not for adapters: set train.lr (higher)
    lora_alpha: int | None = None  # the adapters' output is scaled by alpha / rank; null: twice the rank
    examples_frac: float = (
        1.0  # share of the examples trained on, human and added alike, nested (paper, Table 5, no dedup)
    )


@dataclass
class SamplingConfig:
    """How solutions are drawn."""

    engine: Engine
    dtype: str  # float32 | bfloat16
    draws_per_shard: int
    problems_per_shard: int
    top_p: float
    stop: list[str]


@dataclass
class SelectConfig:
    """Which samples become training paths (paper A.3)."""

    policy: str  # see rft.text.selection
    count_human: bool  # True: a sample with the human path's key is a duplicate
    tolerance: float  # absolute, of the equation check
    check_equations: bool
    equations: str  # annotated (`<<...>>`) | plain (from text)
    cap: int | None  # at most so many paths a question, by seeded choice; null: as the policy has it
    tie_break: str | None  # how algorithm 1 breaks ties, see rft.text.dedup; null: as the policy has it
    thin: Thin  # of a union's kept paths; without meaning for a model's own pool


@dataclass
class SelfQueryConfig:
    """Hindsight relabelling (paper appendix D): sampled paths get the question that they do solve."""

    mix: QueryMix
    relabel: Relabel
    consistent: bool  # keep only questions that the SFT model, greedily, answers as the path does


@dataclass
class SelfReviseConfig:
    """Question and sampled draft in, human path out (paper appendix D)."""

    num_drafts: int  # drafts of each training question
    choose: DraftChoice
    num_folds: int  # above 1: a question's drafts come from a model that was trained without its fold


@dataclass
class EvalConfig:
    """What is measured of every cell."""

    split: Split  # validation for every choice that is made before a comparison is reported
    vote_k: int | None  # K of maj1@K and pass@K; null: greedy only
    vote_temperature: float
    perturbed_seed: int | None  # of a second accuracy on a numbers-changed copy of the scored problems; null: none


@dataclass
class LossConfig:
    """The measured pretraining loss."""

    max_tokens: int  # of the held-out text that are scored
    window: int  # context in tokens


@dataclass
class RuntimeConfig:
    """What only changes speed; never hashed."""

    device: str  # auto | cpu | cuda
    threads: int  # torch / CTranslate2 threads of one process
    micro_batch_tokens: int  # padded tokens of one forward pass
    packing: bool  # fine-tuning: several examples in a row, each blind to the others; same loss, less padding
    sample_batch: int  # sequences decoded at once
    flops_per_s: float  # of one worker, for time estimates only


@dataclass
class StoreConfig:
    """Where finished stages live."""

    root: str


@dataclass
class TrackingConfig:
    """The W&B mirror."""

    mode: str  # offline | online | disabled
    project: str
    entity: str | None
    tags: list[str]
    max_samples: int  # rows of the sampled-solutions table


@dataclass
class PlanConfig:
    """What a plan shows besides its stages."""

    compare: str | None  # published costs to set beside the plan's: table4 (the paper's); null: none


@dataclass
class StudyConfig:
    """The whole configuration; the keys up to `pretrain_tokens` are the swept ones and stand in every record."""

    model: ModelConfig
    data: DataConfig
    method: Method
    data_frac: float
    k: int
    union: list[str]  # donor models, k draws from each; empty: the model's own pool
    temperature: float
    seed: int  # the replicate: default of the next three
    data_seed: int | None
    train_seed: int | None
    sample_seed: int | None
    pretrain_seed: int
    pretrain_tokens: int | None  # null: the model's own budget
    sample_from: SampleFrom
    train: TrainConfig
    sampling: SamplingConfig
    select: SelectConfig
    self_query: SelfQueryConfig
    self_revise: SelfReviseConfig
    eval: EvalConfig
    loss: LossConfig
    runtime: RuntimeConfig
    store: StoreConfig
    tracking: TrackingConfig
    study_name: str
    dry_run: bool
    plan: PlanConfig
    preflight: bool  # check model, data and memory before a cell runs; the report goes beside its record
    donors: dict[str, Any] = field(default_factory=dict)  # filled by rft.run: configurations of the union's models
