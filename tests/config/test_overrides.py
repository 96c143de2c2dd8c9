"""Command-line words are checked before Hydra composes, with a suggestion."""

from __future__ import annotations

import pytest

from rft.conf_path import conf_folder
from rft.config.overrides import check_overrides
from rft.plan.typed import method_options, named_choices


def first_problem(*arguments: str) -> str | None:
    return check_overrides(arguments, folders=[conf_folder()], choices=named_choices(), options=method_options())


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("model=nano-q", "unknown model 'nano-q'. Did you mean nano-"),
        ("model=nano-s,nano-q", "unknown model 'nano-q'"),
        ("data=gsm8", "unknown data 'gsm8'. Did you mean gsm8k?"),
        ("method=sfft", "unknown method 'sfft'. Did you mean sft?"),
        ("data_frc=1", "unknown key 'data_frc'. Did you mean data_frac?"),
        ("train.epoch=1", "unknown key 'epoch' in train. Did you mean epochs?"),
        ("data.world.human_stile=1", "unknown key 'human_stile' in data.world. Did you mean human_style?"),
        ("+study=quikstart", "unknown study 'quikstart'. Did you mean quickstart?"),
        ("methods.self_qery.mix=alone", "unknown key 'self_qery' in methods. Did you mean self_query?"),
        ("methods.self_query.mixx=alone", "unknown key 'mixx' in methods.self_query. Did you mean mix?"),
        ("methods.self_query.mix=alon", "unknown methods.self_query.mix 'alon'. Did you mean alone?"),
        ("sampling.engine=ctranslate", "unknown sampling.engine 'ctranslate'. Did you mean ctranslate2?"),
    ],
)
def test_a_misspelt_word_is_named_with_what_is_meant(argument: str, message: str):
    problem = first_problem("-m", argument)
    assert problem is not None
    assert problem.startswith(f"{argument}: ")
    assert message in problem


@pytest.mark.parametrize(
    "argument",
    [
        "model=nano-s,nano-m",
        "data_frac=0.25,1",
        "k=range(1,5)",
        "union=[nano-s]",
        "model.path=x",
        "hydra/launcher=dag_local",
        "hydra.launcher.workers=2",
        "model=glob(nano-*)",
        "train.lr=null",
        "data.world.human_style=0.1",
        "--help",
        "dry_run=true",
    ],
)
def test_what_hydra_understands_is_left_to_it(argument: str):
    assert first_problem(argument) is None
