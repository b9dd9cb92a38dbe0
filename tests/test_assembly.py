"""Receptors that ligands assemble from chains: equilibrium, ledger, half-maximal doses."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import polycrine as pc
from polycrine.catalogue.library import catalogue
from polycrine.model.yamlfile import read_model
from polycrine.network.assembly import complexes_of
from polycrine.network.places import NetworkWriter

CELL = """
polycrine: 1
name: one cell type
places: {{well: {{kind: stirred, volume: 1 mL}}}}
cytokines: [{molecules}]
cells: {{cell: {{in: well, count: {count}, program: {program}}}}}
numbers:
  IL2R-assembled.internalisation: {taken}
  IL15R-assembled.internalisation: {taken}
  {program_path}.chains.IL2RA.turnover: 1e6 h
  {program_path}.chains.IL2RB.turnover: 1e6 h
  {program_path}.chains.IL2RG.turnover: 1e6 h
events: [{events}]
observe: [{{panel: well, every: 30 min}}, {{read: pSTAT5, in: cell, every: 30 min}}]
run: {{for: 10 h, settle: 1 s, relative tolerance: 1e-8, absolute tolerance: 1e-11}}
"""


def run(events, program="regulatory T cell", molecules="IL2", count="1", taken="0 /min"):
    path = program.replace(" ", "_")
    text = CELL.format(
        events=events, program=program, program_path=path, molecules=molecules,
        count=count, taken=taken,
    )  # fmt: skip
    return pc.run(read_model(text, "cell.yaml"))


def held(done):
    values = done.states.value.isel(sample=0, time=-1).to_series()
    return {name.removeprefix("cell."): value for name, value in values.items()}


def test_complexes_are_those_that_can_hold_the_ligand():
    assembly = catalogue().assemblies["IL2R-assembled"]
    found = {"".join(sorted(c.removeprefix("IL2R") for c in some)) for some in
             complexes_of(assembly, {"IL2RA", "IL2RB", "IL2RG"})}  # fmt: skip
    assert found == {"A", "B", "AB", "BG", "ABG"}


def test_at_rest_every_complex_has_what_the_law_of_mass_action_gives_whatever_the_way():
    state = held(run("{give: IL2, concentration: 0.2 nM}"))
    level, a, b, g = 200.0, state["IL2RA"], state["IL2RB"], state["IL2RG"]
    cross, gamma = 0.04, 220.0  # molecules per cell and pM, molecules per cell
    expected = {
        "IL2RA": level * a / 1e4,
        "IL2RB": level * b / 144e3,
        "IL2RA_IL2RB": level * a / 1e4 * b / (cross * 144e3),
        "IL2RB_IL2RG": level * b / 144e3 * g / gamma,
        "IL2RA_IL2RB_IL2RG": level * a / 1e4 * b / (cross * 144e3) * g / gamma,
    }
    for name, value in expected.items():
        assert state[f"IL2R_assembled_{name}"] == pytest.approx(value, rel=1e-5), name
    beta = sum(v for n, v in state.items() if n.startswith("IL2R_assembled") and "IL2RB" in n)
    assert beta + b == pytest.approx(661, rel=1e-5)


def test_two_ligands_share_the_chains():
    alone = held(run("{give: IL15, concentration: 50 nM}", molecules="IL2, IL15"))
    both = held(
        run(
            "{give: IL15, concentration: 50 nM}, {give: IL2, concentration: 5 nM}",
            molecules="IL2, IL15",
        )
    )
    name = "IL15R_assembled_IL2RB_IL2RG"
    assert both[name] < 0.5 * alone[name]


def test_what_is_taken_up_with_the_chains_leaves_the_fluid_and_the_ledger_closes():
    done = run("{give: IL2, concentration: 20 pM}", count="1e7", taken="0.05 /min")
    ledger = done.ledger().set_index("process").pmol
    assert -ledger["taken up by cell"] > 0.1 * ledger["given"]
    assert abs(ledger["error"]) < 1e-10 * ledger["given"]


def test_what_chains_take_up_of_a_trace_is_counted_in_the_clearance():
    text = """
polycrine: 1
name: Treg in blood
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places: {blood: {kind: stirred, volume: plasma}}
cytokines: [IL2]
cells: {cell: {in: blood, count: 1e11, program: regulatory T cell}}
numbers: {IL2.healthy_plasma: 0 pM}
events: [{give: IL2, dose: 0.001 pmol, at: 0 h}]
observe: [{panel: blood, every: 10 min}]
run: {for: 4 h}
"""
    done = pc.run(read_model(text, "blood.yaml"))
    ledger = done.ledger().set_index("process").pmol
    share = ledger["taken up by cell"] / (
        ledger["taken up by cell"] + ledger["cleared from plasma"]
    )
    model = read_model(text, "blood.yaml")
    writer = NetworkWriter(model)
    network = writer.write()
    rest = network.values[network.parameter_index("IL2.remainder")]
    assert rest < 0.12  # L/min, the whole clearance
    assert share == pytest.approx(1 - rest / 0.12, rel=0.05)


def test_half_maximal_doses_lie_within_a_factor_of_four_of_those_measured():
    path = Path(__file__).parents[1] / "benchmarks" / "il2_doses.py"
    spec = importlib.util.spec_from_file_location("il2_doses", path)
    doses = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(doses)
    found = doses.half_maximal_doses(doses=16)
    for key, measured in doses.MEASURED.items():
        assert 1 / 4 < found[key] / measured < 4, (key, found[key])
    treg = found["IL-2", "regulatory T cell"]
    others = [found["IL-2", cell] for cell in ("NK cell", "CD8 T cell", "T helper cell")]
    assert treg < 0.2 * min(others)
    fifteen = np.array([found["IL-15", cell] for _, cell in list(doses.MEASURED)[4:]])
    assert fifteen.max() < 1.5 * fifteen.min()
