"""A whole cell whose store is a bucket: its record is that of a store in a folder."""

from __future__ import annotations

from pathlib import Path

from composing import compute, tiny

from rft.infra.buckets import Bucket
from rft.infra.identity_mark import IDENTITY_FILE
from rft.records import RECORD_FILE, read_json


def test_a_cell_in_a_bucket_is_the_cell_in_a_folder(tmp_path: Path):
    url = f"file://{tmp_path}/bucket"
    places = (f"store.root={tmp_path}/store",), (f"store.root={url}", f"store.cache={tmp_path}/cache")
    rows = []
    for i, more in enumerate(places):
        cell = compute(tiny("model=nano-xs", "method=sft", *more), study=tmp_path / f"study{i}")
        rows.append(
            {name: one for name, one in read_json(cell / RECORD_FILE).items() if name not in ("cost", "provenance")}
        )
    folder, bucket = rows
    assert {**folder, "study": "", "stages": []} == {**bucket, "study": "", "stages": []}
    assert [(one["name"], one["key"]) for one in folder["stages"]] == [
        (one["name"], one["key"]) for one in bucket["stages"]
    ]
    assert Bucket(url).read(IDENTITY_FILE) is not None
