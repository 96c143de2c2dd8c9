"""An exported folder in the real vLLM on a processor, which asks it in chats by what lies in the folder alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import compute, tiny

from rft.cli.export import export
from rft.export.cell import FinishedCell
from rft.infra.store import Store
from rft.text.prompts import template_named

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # its own imports warn
vllm = pytest.importorskip("vllm", reason="vLLM is not installed here: make vllm-test")

# one head of 32 numbers, which vLLM's attention on a processor takes; enough training to write answers
WORLD = ("method=sft", "data.max_new_tokens=48", "model.pretrain.tokens=131072", "model.arch.width=32",
         "model.arch.num_heads=1", "model.arch.num_kv_heads=1", "train.epochs=40", "data.num_train=48",
         "sampling.engine=torch")  # fmt: skip


def test_vllm_answers_as_the_record_does(tmp_path: Path):
    folder = compute(tiny(*WORLD, f"store.root={tmp_path}/store"), study=tmp_path / "study")
    cell = FinishedCell.open(folder, store=Store(tmp_path / "store"))
    export(folder, to=tmp_path / "out", store_root=tmp_path / "store")
    llm = vllm.LLM(str(tmp_path / "out" / "model"), dtype="float32", gpu_memory_utilization=0.05, enforce_eager=True)
    try:
        asked = [[{"role": "user", "content": problem.question}] for problem in cell.test_problems()]
        options = llm.get_default_sampling_params()  # of the folder's generation config
        options.temperature, options.stop = 0.0, list(template_named("world").stop)
        found = [reply.outputs[0] for reply in llm.chat(asked, options, use_tqdm=False)]
    finally:
        llm.llm_engine.engine_core.shutdown()
    wanted = {sample.id: sample for sample in cell.greedy_samples()}
    samples = [wanted[problem.id] for problem in cell.test_problems()]
    clean = template_named("world").clean
    assert [clean(one.text) for one in found] == [sample.text for sample in samples]
    assert [one.finish_reason == "length" for one in found] == [sample.truncated for sample in samples]
    assert any(not sample.truncated for sample in samples), "the test needs texts that end before the limit"
