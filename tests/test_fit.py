"""The fit finds the numbers that are shipped, and tighter tolerances change nothing."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import polycrine as pc

FIT = Path(__file__).parents[1] / "benchmarks" / "fit_endotoxemia.py"


@pytest.mark.slow
def test_the_fit_finds_the_shipped_secretions():
    script = runpy.run_path(str(FIT))
    shipped = pc.run(pc.load("endotoxemia"), duration="1 h").numbers().set_index("path").value
    start = {analyte: 0.7 * shipped[path] for analyte, path in script["FITTED"].items()}
    found, _ = script["fit"](start)
    for analyte, path in script["FITTED"].items():
        assert found[analyte] == pytest.approx(shipped[path], rel=0.02)


@pytest.mark.slow
def test_trajectories_converge_as_tolerances_tighten():
    def states(relative):
        settings = [
            f"run.relative_tolerance={relative}",
            f"run.absolute_tolerance={relative * 0.01}",
        ]
        return pc.run(pc.load("endotoxemia", settings)).states.value.values[0]

    exact = states(1e-11)
    scale = np.abs(exact).max(axis=0)
    seen = scale > 1e-6
    errors = [(np.abs(states(r) - exact)[:, seen] / scale[seen]).max() for r in (1e-5, 1e-7, 1e-9)]
    assert errors[0] < 1e-4
    assert errors[1] < 1e-6
    assert errors[2] < 1e-8
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
