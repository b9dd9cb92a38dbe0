"""Receptors, decoys and antagonists against the textbook."""

import numpy as np
import pytest

import polycrine as pc
from polycrine.model.yamlfile import read_model

WELL = """
polycrine: 1
name: binding
places: {{well: {{kind: stirred, volume: 1 L}}}}
cytokines: [TNF, IL1B, IL1RN]
cells: {{cell: {{in: well, count: 1e3, program: {program}}}}}
numbers:
  TNFR1.binds.TNF.internalisation: 0 /min
  TNFR1.turnover: 1e12 d
  IL1R1.binds.IL1B.internalisation: 0 /min
  IL1R1.binds.IL1RN.internalisation: 0 /min
  IL1R1.turnover: 1e12 d
events: [{events}]
observe: [{{panel: well, every: 1 d}}]
run: {{for: 4 d}}
"""


def at_end(events, program):
    text = WELL.format(program=program, events=", ".join(events))
    states = pc.run(read_model(text, "well.yaml")).states
    values = states.value.values[0, -1]
    return {str(key): values[k] for k, key in enumerate(states.species.values)}


def give(molecule, concentration):
    return f"{{give: {molecule}, concentration: {concentration}}}"


def occupancy(end, ligand="IL1B"):
    sites = end["cell.IL1R1"] + end["cell.IL1R1_IL1B"] + end["cell.IL1R1_IL1RN"]
    return end[f"cell.IL1R1_{ligand}"] / sites


def test_half_of_the_receptors_are_occupied_at_Kd():
    end = at_end([give("TNF", "19 pM")], "endothelium")
    bound, free = end["cell.TNFR1_TNF"], end["cell.TNFR1"]
    assert bound / (bound + free) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("antagonist", ["70 pM", "700 pM", "7 nM"])
def test_an_antagonist_shifts_the_dose_as_Schild_says(antagonist):
    alone = occupancy(at_end([give("IL1B", "8.4 pM")], "endothelium"))
    factor = 1 + {"70 pM": 1, "700 pM": 10, "7 nM": 100}[antagonist]
    against = [give("IL1B", f"{8.4 * factor} pM"), give("IL1RN", antagonist)]
    assert occupancy(at_end(against, "endothelium")) == pytest.approx(alone, rel=1e-4)


def test_a_decoy_binds_and_does_not_signal():
    end = at_end([give("IL1B", "200 pM")], "neutrophil")
    assert end["cell.IL1R2_IL1B"] > 100
    text = WELL.format(program="neutrophil", events=give("IL1B", "200 pM"))
    text = text.replace("observe: [", "observe: [{read: IL1R2 bound, in: cell, every: 1 d}, ")
    reads = pc.run(read_model(text, "well.yaml")).reads()
    assert (reads[reads.species == "IL1R2 bound"].value == 0).all()


def test_the_antagonist_alone_occupies_and_does_not_signal():
    end = at_end([give("IL1RN", "1 uM")], "endothelium")
    assert occupancy(end, "IL1RN") > 0.99
    assert end["cell.IKKa"] == pytest.approx(0, abs=1e-12)


def test_a_blocked_receptor_takes_nothing():
    end = at_end([give("TNF", "19 pM"), "{block: TNFR1}"], "endothelium")
    assert end["cell.TNFR1_TNF"] == pytest.approx(0, abs=1e-9)
    assert end["well.TNF"] == pytest.approx(19, rel=1e-9)


def test_receptors_neither_appear_nor_vanish_by_binding():
    end = at_end([give("TNF", "5 pM"), give("IL1B", "3 pM"), give("IL1RN", "50 pM")], "endothelium")
    assert end["cell.TNFR1"] + end["cell.TNFR1_TNF"] == pytest.approx(200, rel=1e-9)
    sites = end["cell.IL1R1"] + end["cell.IL1R1_IL1B"] + end["cell.IL1R1_IL1RN"]
    assert sites == pytest.approx(200, rel=1e-9)


TWO_COMPARTMENTS = """
polycrine: 1
name: two compartments
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places:
  blood: {kind: stirred, volume: plasma}
  tissue: {kind: stirred, volume: 2 L}
links: [{between: [blood, tissue], flow: 0.1 L/min}]
cytokines: [IL1RN]
numbers: {IL1RN.clearance: 0.2 L/min, IL1RN.healthy_plasma: 0 pM}
events: [{give: IL1RN, dose: 30 pmol}, {give: IL1RN, dose: 60 pmol, at: 60 min, over: 30 min}]
observe: [{panel: blood, every: 5 min}]
run: {for: 4 h}
"""


def test_a_two_compartment_drug_follows_its_exact_solution():
    run = pc.run(read_model(TWO_COMPARTMENTS, "drug.yaml"))
    k = list(run.states.species.values).index("blood.IL1RN")
    time, level = run.states.time.values, run.states.value.values[0, :, k]
    a = np.array([[-(0.2 + 0.1) / 3, 0.1 / 3], [0.1 / 2, -0.1 / 2]])
    eigenvalues, vectors = np.linalg.eig(a)

    def after_bolus(t):
        share = vectors[0] * np.linalg.solve(vectors, [30 / 3, 0.0])
        return (share[:, None] * np.exp(np.outer(eigenvalues, t))).sum(axis=0)

    def from_infusion(t):
        share = vectors[0] * np.linalg.solve(vectors, [2 / 3, 0.0]) / eigenvalues
        on, off = np.clip(t - 60, 0, None), np.clip(t - 90, 0, None)
        rise = np.exp(np.outer(eigenvalues, on)) - np.exp(np.outer(eigenvalues, off))
        return (share[:, None] * rise).sum(axis=0)

    exact = after_bolus(time) + from_infusion(time)
    assert level[1:] == pytest.approx(exact[1:], rel=1e-6)
