"""A base model from elsewhere: a causal language model of a local folder or the hub, as safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rft.stages.stage import Done, StageContext, said
from rft.stages.weights import ModelFacts, Weights


@dataclass(frozen=True, eq=False, kw_only=True)
class Import(Weights):
    """See the module."""

    kind: ClassVar[str] = "import"
    content: str  # digest of the folder's files; of the hub 'hub:<id>'
    path: str = said()

    def run(self, work: StageContext) -> Done:
        from rft.core.model import import_model, load_model

        import_model(self.path, work.out)
        ModelFacts.of(load_model(work.out, device="cpu", dtype="float32")).write(work.out)
        return Done()
