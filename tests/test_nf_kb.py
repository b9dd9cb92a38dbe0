"""The NF-kB cascade against what its authors and others report."""

import numpy as np
import pytest

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import catalogue
from polycrine.engine.stirred import Member, Tolerances, run_stops
from polycrine.model.programs import Program, Signal
from polycrine.network.builder import Builder
from polycrine.network.cells import CellWriter, Surroundings
from polycrine.network.code import compile_network
from polycrine.network.stops import Stop


def nuclear_nf_kb(drive, minutes):
    """NF-kB in the nucleus (uM), minute by minute, under a drive that stays on."""
    basal = Number(value=drive / (1 - drive), unit="", origin="author")
    program = Program(
        program="cell",
        about="",
        cascades={"nf-kb": "on"},
        signals={"on": Signal(heard={}, basal=basal)},
    )
    build = Builder(catalogue(), (), {}, None)
    CellWriter(build, "cell", program, Surroundings({}, {}, "1", "")).write()
    network = build.network()
    stops = [Stop(float(minute), True) for minute in range(1, minutes + 1)]
    member = Member(0.0, network.initial, network.values, 1e-3)
    code = compile_network(network)
    run_stops(code, [member], [stops], network.scales, Tolerances(), float(minutes))
    return np.array(member.states)[:, network.index("cell.NFkB")]


def test_nf_kb_peaks_within_half_an_hour_and_is_pulled_back_within_two():
    level = nuclear_nf_kb(0.99, 400)
    assert 15 <= np.argmax(level[:60]) + 1 <= 35
    assert level[:60].max() == pytest.approx(0.28, rel=0.05)
    assert level[60:120].min() < 0.1 * level.max()


def test_nf_kb_oscillates_with_a_period_near_100_min():
    level = nuclear_nf_kb(0.99, 400)
    inner = level[1:-1]
    peaks = np.flatnonzero((inner > level[:-2]) & (inner > level[2:])) + 1
    assert np.diff(peaks).mean() == pytest.approx(105, abs=10)


def test_nf_kb_rests_without_a_drive():
    level = nuclear_nf_kb(1e-9, 600)
    assert np.ptp(level) < 1e-4
