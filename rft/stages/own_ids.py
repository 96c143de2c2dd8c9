"""Ids that the rows of data files have of their own, as a stage: what a pool drawn elsewhere may call their questions.

    ids = OwnIds(files=(train,), columns=("uid",))
    work.open(ids).questions                    # {"17": "half of 48", ...}

A stage beside the problems and not a part of them, so that naming a column changes no training: only an import whose rows
have ids and no question has it as input. Writes `ids.json`, questions in their normal form by the rows' own ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.infra.digest import require_contents
from rft.records import read_json, write_json
from rft.stages.problems import FileProblems
from rft.stages.stage import Done, Stage, StageContext
from rft.text.foreign import OwnNames
from rft.text.own_ids import joined_ids, own_ids
from rft.text.tables import files_behind

IDS_FILE = "ids.json"


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnIds(Stage[OwnNames]):
    """See the module."""

    kind: ClassVar[str] = "own_ids"
    version: ClassVar[int] = (
        4  # 2: questions, so that a row that becomes no problem still names its own; 3: with all signs; 4: and more minus
    )
    files: tuple[FileProblems, ...]
    columns: tuple[str, ...]  # of each file

    def run(self, work: StageContext) -> Done:
        named = {}
        for place, (file, column) in enumerate(zip(self.files, self.columns, strict=True), start=1):
            named[f"{place}. {file.path}"] = own_ids(file.rows(), file.how, name=file.path, column=column)
            if not file.of_hub:
                require_contents(file.path, files_behind(file.path), file.content)
        write_json(work.out / IDS_FILE, joined_ids(named))
        return Done()

    def read(self, folder: Path) -> OwnNames:
        return OwnNames(self.columns, read_json(folder / IDS_FILE))
