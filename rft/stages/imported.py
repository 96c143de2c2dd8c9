"""A base model from elsewhere: a causal language model of a local folder or the hub, as safetensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.core.checkpoints import model_files
from rft.infra.digest import content_digest, digest
from rft.stages.stage import Done, StageContext, said
from rft.stages.weights import ModelFacts, Weights


def model_digest(folder: Path, *, of: Callable[[Path], str] = content_digest) -> str:
    """Digest of the files of a model folder that decide what it computes and how it is prompted, by name and content.

    `of` gives the digest of one file. It reads the file anew; for planning, a remembered one (file_digest) is enough.
    """
    return digest([[str(file.relative_to(folder)), of(file)] for file in model_files(folder)])


@dataclass(frozen=True, eq=False, kw_only=True)
class Import(Weights):
    """See the module."""

    kind: ClassVar[str] = "import"
    content: str  # digest of the folder's files; of the hub 'hub:<id>'
    path: str = said()

    def run(self, work: StageContext) -> Done:
        from rft.core.model import import_model, load_model

        import_model(self.path, work.out)
        folder = Path(self.path)
        if folder.is_dir() and model_digest(folder) != self.content:
            raise RuntimeError(
                f"the model folder {folder} has changed since the study was planned: leave it alone while a study runs, "
                "and start it again"
            )
        ModelFacts.of(load_model(work.out, device="cpu", dtype="float32")).write(work.out)
        return Done()
