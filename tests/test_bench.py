"""The benchmarks' harness: medians of pairs, costs of processes, and pages made of committed rows."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from analysis.docs.__main__ import main
from tests.bench.bench_pretrain_quality import SEEDS, crossing, interval
from tests.bench.harness import Cost, alternate, of_command, python, row, tell

PAGE = "# Title\n<!-- generated: bench speed -->\n<!-- end -->\n<!-- generated: bench speed plan -->\n<!-- end -->\n"


def test_sides_alternate_and_the_ratio_is_the_median_of_the_pairs():
    order: list[str] = []
    ours, peers = iter((1.0, 2.0, 30.0, 4.0, 5.0)), iter((2.0, 2.0, 3.0, 8.0, 5.0))

    def side(name: str, costs: object) -> Cost:
        order.append(name)
        return Cost(0.0, next(costs))  # type: ignore[call-overload]

    found = alternate(lambda: side("ours", ours), lambda: side("peer", peers), pairs=5)
    assert order == ["ours", "peer", "peer", "ours", "ours", "peer", "peer", "ours", "ours", "peer"]
    made = row("x", found, figure=lambda cost: cost.cpu_s, unit="CPU s", limit=2.0)
    assert (made.ours, made.peer, made.ratio, made.of_limit, made.n) == (4.0, 3.0, 1.0, 2.0, 5)


def test_a_process_costs_its_own_processor_time_and_memory_not_its_sleep():
    busy = of_command(
        python("-c", "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass")
    )
    idle = of_command(python("-c", "import time; time.sleep(0.5); x = bytearray(64 * 2**20); print('done')"))
    assert busy.cpu_s > 0.3
    assert idle.cpu_s < idle.wall_s
    assert idle.wall_s > 0.5
    assert idle.peak_bytes > 64 * 2**20 > busy.peak_bytes / 2
    assert idle.output == "done\n"
    with pytest.raises(RuntimeError, match="no such thing"):
        of_command(python("-c", "raise SystemExit('no such thing')"))


def test_a_page_shows_the_latest_row_of_each_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "multirun_outputs" / "reference" / "bench"
    folder.mkdir(parents=True)
    (tmp_path / "README.md").write_text(PAGE)
    where = {"date": "2026-11-27", "commit": "0123456", "machine": "a machine"}
    for day, seconds in (("1", 7.0), ("2", 3.0)):
        tell(row("plan", [(Cost(1.0, seconds), Cost(1.0, 12.0))], figure=lambda c: c.cpu_s, unit="CPU s", must=0.5))
        line = json.loads(capsys.readouterr().out)
        also = json.dumps({**line, **where, "name": "start"}) + "\n" if day == "1" else ""
        bare = json.dumps({**where, "name": "store", "ours": 1.5, "unit": "ms"}) + "\n"  # of a bench without a peer
        (folder / f"{day}.jsonl").write_text(json.dumps({**line, **where}) + "\n" + also + bare)
    assert main(["--root", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.count("| plan | 3 | 12 | CPU s | 0.25 | ratio 0.5 |") == 2
    assert text.count("| start |") == 1
    assert text.count("| store | 1.5 |  | ms |") == 1
    assert "2026-11-27, commit 0123456, a machine" in text
    (tmp_path / "README.md").write_text(PAGE.replace("speed plan", "speed plann"))
    assert main(["--check", "--root", str(tmp_path)]) == 2


def test_a_benchmark_of_no_name_is_refused():
    with pytest.raises(RuntimeError, match="no benchmark plann; there are"):
        of_command([sys.executable, "-m", "tests.bench", "plann"])


def test_a_curve_crosses_where_a_line_in_the_logarithm_of_tokens_meets_the_goal():
    law = [(tokens, 0.1 + 0.2 * math.log2(tokens / 500_000)) for tokens in (500_000, 1_000_000, 4_000_000)]
    found = crossing(law, 0.4)
    assert found is not None
    assert math.isclose(found, 500_000 * 2**1.5)
    assert crossing(law, 0.05) == 500_000
    assert crossing(law, 0.71) is None
    late = crossing([(1, 0.1), (2, 0.3), (4, 0.2), (8, 0.6)], 0.25)  # a dip after the first crossing counts for nothing
    assert late is not None
    assert 1 < late < 2


def test_the_interval_of_a_crossing_is_a_point_for_equal_bases_and_open_where_some_draws_stay_below():
    same = {1000: dict.fromkeys(SEEDS, 0.1), 4000: dict.fromkeys(SEEDS, 0.5)}
    low, high = interval(dict.fromkeys(SEEDS, 0.3), same)
    assert math.isclose(low, 2000)
    assert math.isclose(high, 2000)
    few = {1000: dict.fromkeys(SEEDS, 0.1), 4000: {seed: 0.1 if place < 6 else 0.9 for place, seed in enumerate(SEEDS)}}
    low, high = interval(dict.fromkeys(SEEDS, 0.3), few)
    assert 1000 < low < 4000
    assert high == math.inf
