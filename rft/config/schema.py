"""The configuration as dataclasses: types and meanings here, numbers in `conf/`, no number in both.

Beside each field stands its role (rft.config.fields), where it is not the usual one of changing results, and for numbers
the range that is allowed. How the work is done and kept (`RuntimeConfig`, `StoreConfig`, `TrackingConfig`, the study's name)
never enters a stage's identity; all that changes results does.

    cfg: StudyConfig = OmegaConf.to_object(composed)     # rft.plan.typed does this once
    validate(cfg)                                        # ValueError with what it got, what is allowed, what to do
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from rft.config import fields
from rft.config.choices import (
    Allocate,
    AllocationRule,
    EpochRule,
    ModelSource,
    Numerics,
    Optimizer,
    SampleFrom,
    Split,
    ThinTo,
    TuneFor,
)
from rft.config.data import DataConfig

SEEDS = (
    "seed",
    "data_seed",
    "train_seed",
    "sample_seed",
    "pretrain_seed",
    "corpus_seed",
)  # of StudyConfig
# Of the top level, what neither files, models nor engines depend on, nor any other value of the configuration
FREE = frozenset(("method", "data_frac", "k", "temperature", *SEEDS))


@dataclass
class ArchConfig:
    """Shape of a Llama model that is pretrained here."""

    num_layers: Annotated[int, fields.result("[1, inf)")]
    width: Annotated[int, fields.result("[1, inf)")]  # hidden size
    num_heads: Annotated[int, fields.result("[1, inf)")]
    num_kv_heads: Annotated[int, fields.result("[1, inf)")]
    mlp_width: Annotated[int, fields.result("[1, inf)")]
    context: Annotated[int, fields.result("[2, inf)")]  # longest sequence in tokens
    init_std: Annotated[float, fields.result("(0, inf)")]  # of weight matrices; narrow models need more than 0.02
    embedding_std: Annotated[float, fields.result("(0, inf)")]  # of the tied token embedding at the start
    rope_theta: Annotated[float, fields.result("(0, inf)")]  # base of the rotary positions
    # Output projections of attention start as the transposed value projections: a token looked at becomes likelier
    # to be said. It came later: where it is false, a base is stored under the name that it had before
    copying_start: bool = field(default=False, metadata={"added": True})
    # Share of waves of their value in the embeddings of number tokens at the start, beside a part common to them all
    # (rft.core.number_start); 0: they start as any token. Added as above
    number_start: Annotated[float, fields.result("[0, 0.7]")] = field(default=0.0, metadata={"added": True})


@dataclass
class ShapeConfig:
    """What the config.json of a model that is not here says besides its layers and width, of models of the Llama form."""

    num_heads: Annotated[int, fields.fact("[1, inf)")]
    num_kv_heads: Annotated[int, fields.fact("[1, inf)")]
    mlp_width: Annotated[int, fields.fact("[1, inf)")]
    vocab: Annotated[int, fields.fact("[1, inf)")]


@dataclass
class PretrainConfig:
    """Recipe of the pretraining stage."""

    tokens: Annotated[int, fields.result("[1, inf)")]  # budget; the learning rate decays to 0 over it
    batch_tokens: Annotated[int, fields.result("[1, inf)")]  # tokens per optimiser step
    sequence: Annotated[int, fields.result("[2, inf)")]  # tokens per packed sequence
    lr: Annotated[float, fields.result("(0, inf)")]
    warmup_frac: Annotated[float, fields.result("[0, 1)")]
    weight_decay: Annotated[float, fields.result("[0, inf)")]
    beta2: Annotated[float, fields.result("[0, 1)")]  # of AdamW
    # Fields that came later: at these values a base is stored under the name that it had before them
    optimizer: Optimizer = field(default=Optimizer.adamw, metadata={"added": True})
    matrix_lr: Annotated[float | None, fields.result("(0, inf)", "muon: peak rate of hidden matrices; adamw: null")] = (
        field(default=None, metadata={"added": True})
    )
    # Weight in the loss of determined tokens, results and operands copied from a story (rft.text.world.corpus); others have 1
    determined_weight: Annotated[float, fields.result("(0, inf)")] = field(default=1.0, metadata={"added": True})
    # Share of the budget, at its beginning, on one-step documents alone: single skills before their composition
    singles_frac: Annotated[float, fields.result("[0, 1)")] = field(default=0.0, metadata={"added": True})

    @property
    def num_singles(self) -> int:
        """Tokens of the budget on one-step documents."""
        return int(self.tokens * self.singles_frac)


@dataclass
class ModelConfig:
    """One base model: `conf/model/<name>.yaml`."""

    name: Annotated[str, fields.name()]
    family: Annotated[str, fields.name()]  # models of one family share architecture and corpus
    source: ModelSource
    lr: Annotated[float, fields.result("(0, inf)")]  # peak learning rate of FULL fine-tuning, chosen once on validation
    arch: ArchConfig | None = None  # source=pretrain
    pretrain: PretrainConfig | None = None  # source=pretrain
    path: Annotated[str | None, fields.place()] = None  # local folder or hub id; alone it makes an imported model
    prompt: str | None = None  # overrides the data set's prompt template
    post_trained: Annotated[bool, fields.fact()] = (
        False  # instruction-tuned models are left out of pretraining-loss fits
    )
    num_params: Annotated[int | None, fields.fact("[1, inf)")] = None  # as published; measured where the model is here
    num_params_non_embedding: Annotated[int | None, fields.fact("[1, inf)")] = None
    num_layers: Annotated[int | None, fields.fact("[1, inf)")] = None  # for cost estimates of models that are not here
    width: Annotated[int | None, fields.fact("[1, inf)")] = None
    context: Annotated[int | None, fields.fact("[2, inf)")] = None
    shape: Annotated[ShapeConfig | None, fields.fact()] = None  # for estimates of memory of models that are not here
    pretrain_tokens: Annotated[float | None, fields.fact("[1, inf)")] = None  # tokens of its published pretraining
    published_loss: Annotated[float | None, fields.fact("(0, inf)")] = None  # never mixed with measured loss
    published_loss_source: Annotated[str | None, fields.fact()] = None
    licence: Annotated[str | None, fields.fact()] = None
    inferred: Annotated[list[str], fields.fact(filled=True)] = field(
        default_factory=list
    )  # of a model by path, said in the plan
    # Keys of `train` by the name of a data set; rft.run works them in and says in `recipe` where each value is from
    recipes: dict[str, Any] = field(default_factory=dict)
    recipe: Annotated[list[str], fields.fact(filled=True)] = field(default_factory=list)


@dataclass
class TrainConfig:
    """Fine-tuning recipe, one for SFT and RFT."""

    epochs: Annotated[float, fields.result("(0, inf)")]
    epoch_rule: EpochRule
    batch_size: Annotated[int, fields.result("[1, inf)")]  # examples per optimiser step
    lr: Annotated[float | None, fields.result("(0, inf)", "null: the model's own")]
    warmup_frac: Annotated[float, fields.result("[0, 1)")]
    schedule: str  # cosine | linear | constant
    weight_decay: Annotated[float, fields.result("[0, inf)")]
    grad_clip: Annotated[float, fields.result("(0, inf)")]
    max_tokens: Annotated[int, fields.result("[2, inf)")]  # prompt and response; of longer ones: data.on_too_long
    dtype: str  # float32 | bfloat16: of the products (autocast); weights and optimiser stay float32
    max_steps: Annotated[int | None, fields.result("[1, inf)")] = None  # cap, for smoke runs
    lora_rank: Annotated[int | None, fields.result("[1, inf)", "null: full fine-tuning; adapters want another lr")] = (
        None
    )
    lora_alpha: Annotated[int | None, fields.result("[1, inf)", "null: twice train.lora_rank")] = None
    # Share of the examples trained on, human and added alike; nested in a larger one (paper, Table 5, no dedup)
    examples_frac: Annotated[float, fields.result("(0, 1]")] = 1.0


@dataclass
class TuneGridConfig:
    """Values of the recipe to choose from; those of an empty list are not tuned."""

    lr: Annotated[list[float], fields.result("(0, inf)", is_set=True)]
    epochs: Annotated[list[float], fields.result("(0, inf)", is_set=True)]


@dataclass
class TuneConfig:
    """A recipe chosen on validation problems, once per model, on SFT: all its trainings follow it (rft.plan.tuning)."""

    train: TuneGridConfig
    per: TuneFor
    validation_frac: Annotated[float, fields.result("(0, 1)", "held out for the choice, without a validation split")]


@dataclass
class SamplingConfig:
    """How solutions are drawn."""

    engine: str  # auto, or a name of rft.core.sampling.engines; auto is resolved before anything is hashed
    dtype: str  # float32 | bfloat16
    draws_per_shard: Annotated[int, fields.result("[1, inf)")]
    problems_per_shard: Annotated[int, fields.result("[1, inf)")]
    top_p: Annotated[float, fields.result("(0, 1]")]
    stop: list[str]
    allocate: Allocate  # of the pools that training paths are selected from


@dataclass
class AllocationConfig:
    """Draws by difficulty (rft.stages.allocate); without meaning unless sampling.allocate asks for it."""

    rule: AllocationRule
    correct: Annotated[int, fields.result("[1, inf)", "correct draws wanted of a question")]
    cap: Annotated[int, fields.result("[1, inf)", "most draws to a question")]
    waves: Annotated[int, fields.result("[1, inf)", "times that draws are dealt, each seeing all before")]


@dataclass
class DonorConfig:
    """The models that draw the samples which training paths are selected from."""

    sft: bool  # fine-tuned on the cell's human subset first; False: drawn from as they are, in their own prompt
    # Worked examples in a prompt of one that is not fine-tuned: human examples of the cell, never the question itself
    num_shots: Annotated[int, fields.result("[0, inf)")]


@dataclass
class SelectConfig:
    """Which samples become training paths (paper A.3)."""

    policy: str  # see rft.text.selection
    count_human: bool  # True: a sample with the human path's key is a duplicate
    tolerance: Annotated[float, fields.result("(0, inf)", "sides of an equation differ by less; absolute")]
    check_equations: bool
    equations: str  # annotated (`<<...>>`) | plain (from text)
    cap: Annotated[int | None, fields.result("[1, inf)", "null: as the policy has it")]  # kept paths per question
    tie_break: str | None  # how algorithm 1 breaks ties, see rft.text.dedup; null: as the policy has it
    thin: ThinTo  # of a union's kept paths; without meaning for a model's own pool
    choose: str  # policy: keep what the policy keeps; else a name of rft.choosers, which ranks its distinct paths
    budget: Annotated[int | None, fields.result("[1, inf)", "paths kept in all; null: as many as the policy keeps")]
    reward_model: Annotated[str | None, fields.place()]  # folder of a sequence-classification model, for choose=reward
    # float32 | bfloat16: of the weights that score paths for a choice, the drawing model's and the reward model's. It came
    # later: in float32 scores and choices are stored as before it
    dtype: str = field(default="float32", metadata={"added": True})


@dataclass
class EvalConfig:
    """What is measured of every cell."""

    split: Split  # validation for every choice that is made before a comparison is reported
    vote_k: Annotated[int | None, fields.result("[1, 1000]", "draws of each test problem; null: greedy only")]
    vote_temperature: Annotated[float, fields.result("(0, inf)", "at 0 all draws would be equal")]
    perturbed_seed: Annotated[int | None, fields.result("(-inf, inf)")]  # of a numbers-changed copy, also scored
    # More test sets, by name of a data configuration; each has results of its own and is nothing of the cell's identity
    sets: Annotated[list[str], fields.run(of_sweep=False)] = field(default_factory=list)


@dataclass
class LossConfig:
    """The measured pretraining loss."""

    max_tokens: Annotated[int, fields.result("[1, inf)")]  # tokens of the held-out text that are scored
    window: Annotated[int, fields.result("[2, inf)")]  # context in tokens
    # float32 | bfloat16: of the weights that read it. It came later: in float32 a loss is stored as before it
    dtype: str = field(default="float32", metadata={"added": True})


@dataclass
class RuntimeConfig:
    """What only changes speed; never hashed."""

    device: str  # auto | cpu | cuda
    threads: Annotated[int, fields.run("[1, inf)")]  # torch / CTranslate2 threads of one process
    micro_batch_tokens: Annotated[int, fields.run("[1, inf)")]  # padded tokens of one forward pass
    packing: bool  # fine-tuning: several examples in a row, each blind to the others; same loss, less padding
    sample_batch: Annotated[int, fields.run("[1, inf)")]  # sequences decoded at once
    # vLLM: the share of a device's memory that one engine reserves; null: its own. Workers on one GPU share it out
    gpu_memory_utilization: Annotated[float | None, fields.run("(0, 1]")]
    tensor_parallel: Annotated[int, fields.run("[1, inf)")]  # vLLM: GPUs over which one model is spread
    flops_per_s: Annotated[float, fields.run("(0, inf)")]  # of one worker, for time estimates only
    processes: Annotated[int, fields.run("[1, inf)")]  # that train one model together, each on a share of every step
    shard: bool  # weights, gradients and moments in shards over those processes (FSDP2), else a copy in each (DDP)
    gradient_checkpointing: bool  # activations of a layer are computed again for its gradient: less memory, more time
    checkpoint_minutes: Annotated[float, fields.run("(0, inf)")]  # of training, after which a killed one goes on


@dataclass
class StoreConfig:
    """Where finished stages live."""

    root: str  # a folder, or the URL of a bucket: s3://bucket/prefix
    cache: str  # of a bucket: the folder of the stages that were made here or brought from it
    cache_gib: Annotated[float, fields.run("(0, inf)")]  # what the cache may hold; what is in use is never removed


@dataclass
class TrackingConfig:
    """The W&B mirror."""

    mode: str  # offline | online | disabled
    project: str
    entity: str | None
    tags: list[str]
    max_samples: Annotated[int, fields.run("[0, inf)")]  # rows of the sampled-solutions table
    finish_s: Annotated[float, fields.run("[0, inf)")]  # seconds that the end of a study waits for W&B, at most
    figures: bool  # at the end, as images of the sweep's run
    workspace: bool  # online: build the prepared workspace, once for a project (extra `workspace`)


@dataclass
class PoolConfig:
    """Solutions to the training questions that somebody else drew: `+pools.NAME.path=FILE union=[NAME]`."""

    path: Annotated[str, fields.place()]  # JSON lines, see rft.text.foreign
    order_seed: Annotated[int, fields.result("(-inf, inf)", "orders the draws of a file that does not number them")] = 0


@dataclass
class PlanConfig:
    """What a plan shows besides its stages."""

    compare: str | None  # published costs to set beside the plan's: table4 (the paper's); null: none
    gpu_gb: Annotated[float | None, fields.run("(0, inf)")]  # of one GPU: a dry run says what each model asks of it
    # By a sweep: what sampling.engine=auto is for all its models (rft.plan.sweep_engine), that it has shown one plan, and
    # its token (rft.infra.study)
    engine: Annotated[str | None, fields.result(filled=True)] = None
    is_shown: Annotated[bool, fields.result(filled=True)] = False
    sweep: Annotated[str, fields.result(filled=True)] = ""


@dataclass
class StudyConfig:
    """The whole configuration."""

    model: ModelConfig
    data: DataConfig
    method: str  # a name of rft.methods
    methods: dict[str, Any]  # options of each method by its name; those of others are never read
    data_frac: Annotated[float, fields.result("(0, 1]", "a share of the training problems")]
    k: Annotated[int, fields.result("[1, inf)", "samples a question and donor")]
    union: list[str]  # donors, k draws from each: models, names of `pools` or `servers`; empty: the model's own pool
    temperature: Annotated[float, fields.result("(0, inf)", "of sampling; at 0 all k samples would be equal")]
    seed: Annotated[int, fields.seed()]  # the replicate: default of the next three
    data_seed: Annotated[int | None, fields.seed()]
    train_seed: Annotated[int | None, fields.seed()]
    sample_seed: Annotated[int | None, fields.seed()]
    pretrain_seed: Annotated[int, fields.seed()]  # the draw of the base: its first weights and the order of its text
    corpus_seed: Annotated[int | None, fields.seed()]  # null: the pretraining seed draws its documents too
    pretrain_tokens: Annotated[int | None, fields.result("[1, inf)", "null: the model's own budget")]
    sample_from: SampleFrom
    train: TrainConfig
    tune: TuneConfig
    sampling: SamplingConfig
    allocation: AllocationConfig
    donor: DonorConfig
    select: SelectConfig
    eval: EvalConfig
    loss: LossConfig
    numerics: Annotated[Numerics, fields.result(of_sweep=True)]  # a process computes with one
    runtime: Annotated[RuntimeConfig, fields.run()]
    store: Annotated[StoreConfig, fields.run()]
    tracking: Annotated[TrackingConfig, fields.run()]
    plugins: Annotated[list[str], fields.run()]  # modules that add methods, engines, rules (rft.registry)
    study_name: Annotated[str, fields.run()]
    study_replace: Annotated[bool, fields.run()]  # first take the cells that the study has off its list
    dry_run: Annotated[bool, fields.run()]
    plan: Annotated[PlanConfig, fields.run()]
    preflight: Annotated[bool, fields.run()]  # check model, data and memory before a cell runs
    # Drawn elsewhere, by the name under which a union has them; rft.plan.typed makes each a PoolConfig
    pools: dict[str, Any] = field(default_factory=dict)
    servers: dict[str, Any] = field(default_factory=dict)  # that draw, by the name of a union; each a ServerConfig
    # By rft.plan.typed: configurations of the union's models, the recipe of each that has another one than the cell's model,
    # and templates of files of a user's own
    donors: Annotated[dict[str, Any], fields.result(filled=True)] = field(default_factory=dict)
    donor_train: Annotated[dict[str, Any], fields.result(filled=True)] = field(default_factory=dict)
    prompts: Annotated[dict[str, Any], fields.result(filled=True)] = field(default_factory=dict)
    # By name of eval.sets what is otherwise than in its file; rft.plan.typed fills in the rest, so that each is a DataConfig
    eval_sets: dict[str, Any] = field(default_factory=dict)

    def with_values(self, **values: Any) -> StudyConfig:
        """A copy with other values at the top level. It shares its parts, and costs a twentieth of dataclasses.replace, which
        a sweep of a hundred thousand jobs sees.
        """
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        vars(twin).update(values)
        return twin

    @property
    def models_of_union(self) -> list[str]:
        """Donors that are models here: neither drawn elsewhere nor run by a server."""
        return [name for name in self.union if name not in self.pools and name not in self.servers]
