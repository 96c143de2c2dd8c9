"""Measured pretraining loss of a base model on one held-out text. Writes `loss.json`:

    {"pretrain_loss_nats": 1.93, "pretrain_loss_se": 0.01, "determined_loss_nats": 0.12, "bits_per_byte": 0.61,
     "num_loss_tokens": 65536, "num_loss_bytes": 201734, "loss_text": "world held-out slice 3f2a9c", "tokenizer": "9ac1..."}

Nats are per token of the model's own tokenizer; bits per byte compare models with different tokenizers, and are null where a
tokenizer loses part of the text (unknown words, letter case), since the lost part is not scored. Losses can be compared
on one text only: the text's name holds the first digits of its digest, and its length where not all of it was scored.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rft.infra.digest import require_content
from rft.records import read_json, write_json
from rft.stages.corpus import Heldout
from rft.stages.stage import Done, Stage, StageContext, added, said
from rft.stages.weights import Weights

if TYPE_CHECKING:
    from rft.core.losses import MeasuredLoss
    from rft.core.model import Model

LOSS_FILE = "loss.json"


@dataclass(frozen=True)
class LossFacts:
    """The measured loss of a base; names as in the record's model facts."""

    pretrain_loss_nats: float  # per token
    pretrain_loss_se: float
    determined_loss_nats: (
        float | None
    )  # on results of equations and operands copied from the story; embedded world only
    bits_per_byte: float | None  # None where the tokenizer does not keep the text
    num_loss_tokens: int
    num_loss_bytes: int | None
    loss_text: str
    tokenizer: str  # its digest: nats per token can be compared within one tokenizer only


@dataclass(frozen=True, eq=False, kw_only=True)
class Loss(Stage[LossFacts]):
    """On the world's held-out slice, or on a text of the user's."""

    kind: ClassVar[str] = "loss"
    version: ClassVar[int] = 3  # 2: tokenizer, bytes and text named in full; 3: no bits per byte where text is lost
    base: Weights
    heldout: Heldout | None  # one of these two
    content: str | None  # digest of the text
    max_tokens: int
    window: int
    numerics: str = added("native")
    dtype: str = added("float32")  # of the weights; each loss is taken of float32 logits
    path: str = said("")

    def run(self, work: StageContext) -> Done:
        from rft.core.context import check_window, context_of
        from rft.core.model import forward_flops_per_token, load_model
        from rft.core.tokenization import load_tokenizer, tokenizer_digest
        from rft.infra.devices import resolve_device

        folder = work.open(self.base).folder
        check_window(self.window, context=context_of(folder))
        model = load_model(folder, device=resolve_device(work.runtime.device), dtype=self.dtype)
        if self.heldout is None:
            measured, text = self._on_file(model, folder, work)
        else:
            measured, text = self._on_heldout(model, folder, self.heldout, work)
        facts = LossFacts(
            measured.loss_nats,
            measured.se,
            measured.determined_loss_nats,
            measured.bits_per_byte,
            measured.num_tokens,
            measured.num_bytes,
            text,
            tokenizer_digest(load_tokenizer(folder)),
        )
        write_json(work.out / LOSS_FILE, dataclasses.asdict(facts))
        return Done(measured.num_tokens, forward_flops_per_token(model) * measured.num_tokens)

    def read(self, folder: Path) -> LossFacts:
        return LossFacts(**read_json(folder / LOSS_FILE))

    def _on_file(self, model: Model, folder: Path, work: StageContext) -> tuple[MeasuredLoss, str]:
        from rft.core.losses import measure_text
        from rft.core.tokenization import load_tokenizer

        path = Path(self.path)
        content = path.read_text(encoding="utf-8")
        require_content(path, str(self.content))
        measured = measure_text(
            model,
            load_tokenizer(folder),
            content,
            window=self.window,
            max_tokens=self.max_tokens,
            micro_batch_tokens=work.runtime.micro_batch_tokens,
        )
        text = f"{path.name} {str(self.content)[:6]}"
        return measured, text + (
            "" if measured.num_bytes == len(content.encode()) else f", first {measured.num_bytes:,} bytes"
        )

    def _on_heldout(self, model: Model, folder: Path, heldout: Heldout, work: StageContext) -> tuple[MeasuredLoss, str]:
        import numpy as np

        from rft.core.losses import measure_loss
        from rft.core.tokenization import load_tokenizer

        files = work.open(heldout)
        measured = measure_loss(
            model,
            np.load(files.tokens),
            window=self.window,
            context_id=load_tokenizer(folder).eos_token_id,
            mask=np.load(files.determined),
            num_bytes=files.num_bytes,
            micro_batch_tokens=work.runtime.micro_batch_tokens,
            progress=lambda done, total: work.report(done / total),
        )
        return measured, f"world held-out slice {hashlib.sha256(files.tokens.read_bytes()).hexdigest()[:6]}"
