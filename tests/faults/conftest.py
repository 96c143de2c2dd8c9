"""What an undisturbed run of the tiny sweep gives, once for all tests of faults."""

from __future__ import annotations

import pytest
from faults.sweeps import Sweep, Undisturbed


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    sweep = Sweep(tmp_path_factory.mktemp("undisturbed"))
    sweep.finish()
    assert sweep.left_behind() == []
    found = Undisturbed(sweep.essence(), sweep.kinds())
    assert len(found.essence) == 2
    return found
