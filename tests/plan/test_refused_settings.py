"""Settings under which a cell would compute nothing of worth are refused before anything runs, each by its key."""

from __future__ import annotations

import pytest
import torch
from composing import FROM_FILES, composed, tiny

from rft.core.sampling.base import first_stop
from rft.text.hindsight import hindsight
from rft.text.path_keys import EQUATIONS

PATHS = ("It is <<2+3=5>>5.\n#### 5", "2 + 3 = 5\n#### 5", "Five, of course.\n#### 5")


@pytest.mark.parametrize("kind", EQUATIONS)
@pytest.mark.parametrize(
    "method", [("method=self_query",), ("method=sft_matched", "methods.sft_matched.to=self_query")]
)
def test_self_query_takes_the_readings_of_equations_under_which_a_path_can_be_relabelled(
    kind: str, method: tuple[str, ...]
) -> None:
    if any(hindsight(text, kind=kind, tolerance=1e-3).fault is None for text in PATHS):
        tiny(*method, f"select.equations={kind}")
        return
    with pytest.raises(ValueError, match=rf"method=self_query .*select\.equations={kind} reads none: set annotated or"):
        tiny(*method, f"select.equations={kind}")


@pytest.mark.parametrize(
    "method", [("method=self_query",), ("method=sft_matched", "methods.sft_matched.to=self_query")]
)
def test_a_control_is_refused_where_its_method_is(method: tuple[str, ...]) -> None:
    keys = (*FROM_FILES, "data.prompt=plain", "data.rule=choice")
    with pytest.raises(ValueError, match=r"method=self_query computes gold answers .*data\.rule=choice is for others"):
        composed(*keys, *method)
    with pytest.raises(ValueError, match=r"method=self_query has no wording for data\.prompt=chat"):
        composed(*FROM_FILES, "data.prompt=chat", *method)
    composed(*keys, "method=sft_matched")


@pytest.mark.parametrize("stop", ['[""]', '["END",""]'])
def test_an_empty_stop_string_ends_every_solution_where_it_begins_and_is_refused(stop: str) -> None:
    assert first_stop("any text", ["END", ""]) == 0
    with pytest.raises(ValueError, match=r"sampling\.stop=.* has an empty text"):
        tiny("method=sft", f"sampling.stop={stop}")
    assert tiny("method=sft", 'sampling.stop=["END"," "]').sampling.stop == ["END", " "]


@pytest.mark.parametrize("key", ["seed", "train_seed", "pretrain_seed", "corpus_seed"])
def test_a_seed_is_one_that_torch_takes(key: str) -> None:
    for seed in (-(2**63) - 2048, -(2**63) + 1, -1, 2**64 - 1, 2**64, 10**23):
        try:
            torch.Generator().manual_seed(seed)
        except (ValueError, RuntimeError):
            with pytest.raises(ValueError, match=rf"{key}={seed} is outside"):
                tiny("method=sft", f"{key}={seed}")
        else:
            assert getattr(tiny("method=sft", f"{key}={seed}"), key) == seed
