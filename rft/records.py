"""What crosses boundaries: problems, samples, outcomes and the record of a cell, with JSON in and out.

This is the bottom of the import ladder: beside the standard library it imports rft.shape and rft.whole alone, and `analysis/`
reads a study through it.

    problems = [Problem.from_json(row) for row in read_jsonl(folder / "train.jsonl")]
    record = Record.from_json(read_json(folder / "record.json"))

    >>> Score.binomial(1, 4)
    Score(value=0.25, n=4, se=0.21650635094610965)

    # a row of a problem file
    {"id": "w-0f3a", "question": "Ann buys 3 bags of 17 nails. How many nails?", "solution": "3*17=<<3*17=51>>51\n#### 51",
     "gold": "51", "spec": null}
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from rft.shape import refuse_odd_parts, refuse_odd_set
from rft.whole import beside, own_file

SCHEMA_VERSION = 2

RECORD_FILE = "record.json"
FAILURE_FILE = "failure.json"
STUDY_FILE = "study.json"
OUTCOMES_FILE = "outcomes.jsonl.gz"
PATHS_FILE = "paths.jsonl.gz"
SHOWN_FILE = "samples.jsonl"  # a capped sample of solutions, for people
NOT_CHOSEN = "not_chosen"  # in it: why a path is not kept that a selection kept and a chooser after it left out
CURVE_FILE = "curve.jsonl"  # loss over training steps, beside the weights
CELL_CURVE_FILE = "curve.jsonl.gz"  # the same of a cell's model, thinned, in the cell's folder


class Outcome(Enum):
    """What became of one solution. TRUNCATED: the token limit was hit before the end of the solution."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"

    @property
    def letter(self) -> str:
        """One letter (C, W, N, T): the compact form in outcome files, one letter a draw."""
        return self.value[0].upper()

    @staticmethod
    def from_letter(letter: str) -> Outcome:
        """The outcome of a letter. Raises ValueError for anything but C, W, N, T."""
        for outcome in Outcome:
            if outcome.letter == letter:
                return outcome
        raise ValueError(f"outcome letter {letter!r} is not one of C, W, N, T")


@dataclasses.dataclass(frozen=True)
class Problem:
    """One question with its human path and gold answer."""

    id: str  # stable and unique within the data set
    question: str
    solution: str  # the human path, GSM8K format: steps with <<a*b=c>>, last line '#### gold'
    gold: str  # the gold answer as its file writes it: '72', '1,450', '2.50' (rft.text.answers reads it)
    spec: dict[str, Any] | None = None  # embedded world only: the computation graph behind the text
    more: tuple[str, ...] = ()  # further human paths, where a file has several

    @property
    def solutions(self) -> tuple[str, ...]:
        """All human paths."""
        return (self.solution, *self.more)

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Problem:
        """From one row of a problem file."""
        more = tuple(row.get("more", ()))
        return Problem(row["id"], row["question"], row["solution"], row["gold"], row.get("spec"), more)

    def to_json(self) -> dict[str, Any]:
        """The row of a problem file."""
        row = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return row if self.more else {name: value for name, value in row.items() if name != "more"}


@dataclasses.dataclass(frozen=True)
class Sample:
    """One generated solution, joined to its problem by id."""

    id: str  # Problem.id
    draw: int  # 0-based index of the draw within the pool; -1 for the greedy solution
    text: str  # the response alone, without prompt or end-of-sequence token
    truncated: bool  # the token limit was hit before the end of the solution
    num_tokens: int  # generated tokens, end-of-sequence token included
    model: str = ""  # name of the model that wrote it (the donor, in a union)

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Sample:
        """From one row of a sample file."""
        return Sample(row["id"], row["draw"], row["text"], row["truncated"], row["num_tokens"], row.get("model", ""))

    def to_json(self) -> dict[str, Any]:
        """The row of a sample file."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True)
class Score:
    """A fraction in [0, 1] with its denominator and standard error over items (binomial, or of the item mean)."""

    value: float
    n: int  # items (problems) averaged over
    se: float  # standard error over items only: holds no seed-to-seed variance

    def __post_init__(self) -> None:
        numbers = (self.value, self.n, self.se)
        if not all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in numbers):
            raise ValueError(f"a score of numbers that are not finite: value {self.value}, n {self.n}, se {self.se}")
        if self.n < 1 or self.se < 0:
            raise ValueError(f"a score over n = {self.n} items with a standard error of {self.se}")

    @staticmethod
    def binomial(num_hits: int, n: int) -> Score:
        """`num_hits` of `n` with se = sqrt(p (1 - p) / n). Raises ValueError when n < 1 or hits lie outside [0, n]."""
        if n < 1 or not 0 <= num_hits <= n:
            raise ValueError(f"a score needs n >= 1 and 0 <= hits <= n, got {num_hits} of {n}")
        p = num_hits / n
        return Score(p, n, math.sqrt(p * (1 - p) / n))

    @staticmethod
    def mean(values: list[float]) -> Score:
        """Mean of per-item values with se = sd / sqrt(n). Raises ValueError when empty."""
        n = len(values)
        if n < 1:
            raise ValueError("a score needs at least one item")
        m = math.fsum(values) / n
        var = math.fsum((v - m) ** 2 for v in values) / max(1, n - 1)
        return Score(m, n, math.sqrt(var / n))


def wilson(share: float, *, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval of a share of n items (Wilson 1927): not of zero width at 0 or n hits, as share ± z se is.

    >>> [round(end, 3) for end in wilson(31 / 256, n=256)]
    [0.087, 0.167]
    """
    from statistics import NormalDist

    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    centre = share + z2 / (2 * n)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * n)) / n)
    return max(0.0, (centre - half) / (1 + z2 / n)), min(1.0, (centre + half) / (1 + z2 / n))


@dataclasses.dataclass(frozen=True)
class StageCost:
    """What one stage of the cell cost when it was computed (by whichever cell came first)."""

    name: str
    key: str
    seconds: float  # wall clock of the computation
    flops: float  # estimated floating-point operations (6 N per trained token, 2 N per generated or scored token)
    tokens: int  # tokens trained on, generated or scored; padding not counted
    cache_hit: bool  # True when this run found it finished in the store
    used: float = 1.0  # share of the work that the cell uses; below 1 for a shard of which it reads only some draws
    # True: the model is made of it; False: it only measures, or fixes a control's size; None: the record does not say
    makes: bool | None = None


@dataclasses.dataclass(frozen=True)
class SetRecord:
    """What is known of a cell on one test set besides its own. Fields are those of a Record, of this set alone."""

    name: str
    key: str  # of the set's configuration and problems: with another content of the same name the cell has both
    setting: dict[str, Any]  # the set's part of the configuration, by dotted path: data.rule, data.test_content, ...
    scores: dict[str, Score]
    rates: dict[str, Score]
    data: dict[str, Any]  # dataset, eval_subset, perturbed
    stages: list[dict[str, Any]]  # those that the cell does not have without the set
    cost: list[StageCost]
    provenance: dict[str, Any]
    files: dict[str, str]

    @staticmethod
    def from_json(row: dict[str, Any]) -> SetRecord:
        """From an entry of `sets` of a parsed record.json."""
        refuse_odd_set(row)
        scores = {kind: _scores(f"sets.{row.get('name')}.{kind}", row[kind]) for kind in SCORE_KINDS}
        return SetRecord(**{**row, **scores, "cost": [StageCost(**cost) for cost in row["cost"]]})


@dataclasses.dataclass(frozen=True)
class Record:
    """All that is known of one finished cell. Written last into the cell's folder: its existence means complete."""

    study: str  # name of the study
    cell_id: str  # readable and unique within the study, e.g. 'nano-s_rft_f0.25_k4_s0-1a2b3c4d'
    cell_key: str  # digest of everything that can change the cell's result
    names: dict[str, str]  # what people call the model and the data; no part of the identity
    # all of the configuration that can change the result, by dotted path: without seeds, and without keys that the cell's
    # method does not use
    setting: dict[str, Any]
    seeds: dict[str, int]  # the replicate: the seeds that the cell rests on
    model: dict[str, Any]  # name, num_params, num_params_non_embedding, pretrain_tokens, pretrain_loss_nats, ...
    data: dict[str, Any]  # num_human, num_augmented, correct_per_question, distinct_per_question, drop_counts, ...
    scores: dict[str, Score]  # 'maj1@1' (greedy), 'maj1@K', 'pass@K', ...
    rates: dict[str, Score]  # 'no_answer', 'truncated', and in the embedded world 'arithmetic_error', 'plan_error', ...
    # of every stage the cell rests on: name, key, index in provenance.origins, digests of code (null: unknown) and weights
    stages: list[dict[str, Any]]
    cost: list[StageCost]
    # of the process that wrote the record: commit, dirty, versions, device, command, started; origins of the stages, and the
    # code of each kind of stage as it stood then
    provenance: dict[str, Any]
    files: dict[str, str]  # role -> file name relative to the record's folder
    schema_version: int = SCHEMA_VERSION
    sets: list[SetRecord] = dataclasses.field(default_factory=list)  # further test sets, by name and key

    @property
    def all_files(self) -> list[str]:
        """Names of all files of the record, those of further test sets included."""
        return sorted({*self.files.values(), *(name for one in self.sets for name in one.files.values())})

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Record:
        """From a parsed record.json. Raises ValueError when the schema version is another one, or a field is missing or of
        another kind."""
        names = [f.name for f in dataclasses.fields(Record) if f.name != "sets"]
        with _no_record():
            _check_version(row.get("schema_version"))
            missing = [name for name in names if name not in row]
            if missing:
                raise ValueError(f"record lacks the fields {missing}")
            odd = [name for name, kind in KINDS.items() if not isinstance(row[name], kind)]
            if odd:
                raise ValueError(f"record has {odd[0]} {row[odd[0]]!r:.80}, which is no {KINDS[odd[0]].__name__}")
            refuse_odd_parts(row)
            values = {name: row[name] for name in names} | {kind: _scores(kind, row[kind]) for kind in SCORE_KINDS}
            values |= {"cost": [StageCost(**cost) for cost in row["cost"]]}
            return Record(**values, sets=[SetRecord.from_json(one) for one in row.get("sets", [])])

    def __post_init__(self) -> None:
        """Raise ValueError, naming the field, for a number that cannot be: a failure is never a number."""
        _refuse_beyond_one(self.scores, self.rates)
        for one in self.sets:
            _refuse_beyond_one(one.scores, one.rates)
        for file in self.all_files:
            if PurePath(file).name != file or file in ("", ".."):
                raise ValueError(f"files: {file!r} is no name of a file directly in the cell's folder")
        for name in LOSSES:
            loss = self.model.get(name)
            if loss is not None and not (isinstance(loss, int | float) and math.isfinite(loss) and loss > 0):
                raise ValueError(f"model.{name} is {loss}: a loss is a finite number above 0")
        for cost in self.cost:
            if not all(math.isfinite(x) and x >= 0 for x in (cost.seconds, cost.flops, cost.tokens, cost.used)):
                raise ValueError(
                    f"cost of {cost.name}: seconds {cost.seconds}, FLOPs {cost.flops}, tokens {cost.tokens}"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and lists, ready for json.dump."""
        return dataclasses.asdict(self)


KINDS: dict[str, type] = {
    **dict.fromkeys(("study", "cell_id", "cell_key"), str),
    **dict.fromkeys(("names", "setting", "seeds", "model", "data", "scores", "rates", "provenance", "files"), dict),
    **dict.fromkeys(("stages", "cost"), list),
}
LOSSES = ("pretrain_loss_nats", "bits_per_byte")
SCORE_KINDS = ("scores", "rates")


@contextmanager
def _no_record() -> Iterator[None]:
    """Damaged JSON, of which any part may be of any kind, is a ValueError whatever it meets."""
    try:
        yield
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"no record: {type(error).__name__}: {error}") from error


def _check_version(version: object) -> None:
    if version == 1:
        raise ValueError(
            "record of schema version 1, from before records held their whole configuration: run the study again "
            "(finished stages are reused where their results are still right)"
        )
    if version != SCHEMA_VERSION:
        raise ValueError(f"record has schema version {version!r}, this code reads {SCHEMA_VERSION}")


def _refuse_beyond_one(*parts: Mapping[str, Score]) -> None:
    for kind, scores in zip(SCORE_KINDS, parts, strict=True):
        for name, score in scores.items():
            if not 0 <= score.value <= 1:
                raise ValueError(f"{kind}.{name} is {score.value}: a share lies in [0, 1] (percent?)")


def _scores(kind: str, rows: Mapping[str, dict[str, Any]]) -> dict[str, Score]:
    found = {}
    for name, row in rows.items():
        try:
            found[name] = Score(**row)
        except ValueError as error:
            raise ValueError(f"{kind}.{name}: {error}") from None
    return found


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON-lines file, gzipped when its name ends in .gz. Raises ValueError naming file and line of bad JSON."""
    opener = gzip.open if path.name.endswith(".gz") else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8", newline="\n") as file:  # a lone CR is no end of a row
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _row(path, number, line)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: damaged or truncated after line {number}: {error}") from error


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: line {number} is not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: line {number} is nested too deeply") from error
    if not isinstance(row, dict):
        raise ValueError(f"{path}: line {number} is a JSON {type(row).__name__}, expected an object")
    return row


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as JSON lines (gzipped, without a time stamp, when the name ends in .gz), whole or not at all; returns how
    many."""
    count = 0
    with beside(path) as scratch, open(scratch, "xb") as raw:
        binary = gzip.GzipFile("", "wb", 6, raw, mtime=0) if path.name.endswith(".gz") else raw
        with io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as file:  # type: ignore[arg-type]
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
    return count


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all, in place of a link of that name. Raises ValueError for NaN and infinities."""
    with own_file(path) as file:
        json.dump(value, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def read_json(path: Path) -> Any:
    """A parsed JSON file. Raises ValueError naming the file when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
