"""Help lists the methods as their source declares them: the same as those that import finds."""

from __future__ import annotations

import dataclasses
import pkgutil

import pytest

import rft.methods
from rft.plan.listing import method_names, option_names
from rft.plan.method import METHODS

OWN = sorted(name for name in METHODS if METHODS[name].__module__.startswith("rft.methods."))


def test_every_method_of_the_package_is_listed():
    assert method_names() == OWN
    modules = {module.name for module in pkgutil.iter_modules(rft.methods.__path__)}
    assert modules == {METHODS[name].__module__.rpartition(".")[2] for name in OWN}, "a file without a method"


@pytest.mark.parametrize("name", OWN)
def test_its_options_are_those_of_its_class(name: str):
    options = METHODS[name].options
    fields = [one.name for one in dataclasses.fields(options)] if options is not None else []
    assert option_names().get(name, []) == fields
