"""The scenario `infection` against what is known of pneumonia: directions, order, densities."""

import numpy as np
import pytest

import polycrine as pc
from polycrine.readouts.timing import half_rise

CRITICAL = 3.5e5  # neutrophils/mL: above it bacteria are cleared in suspension (Li 2002: 3-4e5)


@pytest.fixture(scope="module")
def run():
    """Every arm, 10 h."""
    return pc.run(pc.load("infection"), "all", duration="10 h")


def level(run, analyte, place="blood", sample="untreated"):
    panel = run.panel()
    own = (panel["sample"] == sample) & (panel.analyte == analyte) & (panel.place == place)
    return panel[own].set_index("time_h").value


def count(run, cell, sample="untreated"):
    reads = run.reads()
    own = (reads["sample"] == sample) & (reads.cell == cell) & (reads.species == "count")
    return reads[own].set_index("time_h").value


def area(run, analyte, sample):
    values = level(run, analyte, sample=sample)
    return np.trapezoid(values - values.iloc[0], values.index)


def distance(run, sample, hour):
    """Mean distance (um) of neutrophils from bacteria at a picture."""
    tissue = run.tissue
    frame = list(tissue.frame.values).index(60 * hour)
    density = tissue.field.sel(sample=sample).isel(frame=frame, fluid=-1).values
    middles = (np.indices(density.shape).reshape(3, -1).T + 0.5) * tissue.attrs["voxel"]
    own = (tissue.cell_sample.values == list(tissue.sample.values).index(sample)) & (
        tissue.cell_frame.values == frame
    )
    own &= tissue.cell_kind.values == list(tissue.kind.values).index("neutrophil in lung")
    at = np.stack([tissue[f"cell_{axis}"].values[own] for axis in "zyx"], axis=1)
    apart = np.linalg.norm(at[:, None] - middles[None], axis=2)
    return (apart @ density.ravel() / density.sum()).mean()


def test_the_books_close_in_every_arm(run):
    ledger = run.ledger()
    assert ledger[ledger.process == "error"].share.max() < 1e-6


def test_neutrophils_come_from_the_blood_and_clear_the_bacteria(run):
    assert count(run, "neutrophil in lung").iloc[0] == 0
    assert count(run, "neutrophil in lung").iloc[-1] > 20
    assert count(run, "bacteria").iloc[-1] == 0
    alone = count(run, "bacteria", "no neutrophils")
    assert count(run, "neutrophil in lung", "no neutrophils").max() == 0
    assert alone.iloc[-1] > 10 * alone.iloc[1]


def test_neutrophils_gather_near_bacteria_only_when_they_can_smell_them(run):
    for hour in (4, 5):
        assert distance(run, "untreated", hour) < 0.85 * distance(run, "no chemotaxis", hour)
    left = [count(run, "bacteria", sample)[6.0] for sample in ("untreated", "no chemotaxis")]
    assert left[0] < 0.5 * left[1]


def test_bacteria_begin_to_fall_where_neutrophils_pass_the_critical_density(run):
    millilitres = 400 * 400 * 100 * 1e-12
    bacteria = count(run, "bacteria")
    met = count(run, "neutrophil in lung")[bacteria.idxmax()] / millilitres
    assert CRITICAL / 3 < met < 12 * CRITICAL  # the upper end as in fibrin gel (Li 2004: 4e6)


def test_blood_answers_hours_after_the_tissue(run):
    def hour(analyte, place):
        values = level(run, analyte, place)
        return half_rise(values.index.to_numpy(), values.to_numpy())

    assert hour("IL6", "blood") > hour("TNF", "lung") + 1
    crp = level(run, "CRP")
    assert crp[4.0] < 1.05 * crp[0.0]
    assert crp.iloc[-1] > 1.2 * crp[0.0]


def test_without_il10_tnf_il6_and_il1_rise_more(run):
    for analyte in ("TNF", "IL6", "IL1B"):
        without = area(run, analyte, "IL-10 knocked out")
        assert without > 1.1 * area(run, analyte, "untreated"), analyte


def test_blocking_the_il6_receptor_stops_crp_and_leaves_il6_in_the_blood(run):
    crp = level(run, "CRP", sample="anti-IL-6R")
    assert crp.max() <= 1.01 * crp[0.0]
    blocked, free = (level(run, "IL6", sample=s).max() for s in ("anti-IL-6R", "untreated"))
    assert blocked > 1.5 * free


def test_torn_tissue_calls_neutrophils_without_bacteria(run):
    sample = "sterile injury instead"
    assert count(run, "bacteria", sample).max() == 0
    assert count(run, "neutrophil in lung", sample).iloc[-1] > 10
    assert level(run, "IL1A", "lung", sample).max() > 2 * level(run, "IL1A", "lung").max()


def test_most_cytokine_of_the_tissue_is_heard_by_other_cells_or_escapes(run):
    senders = run.tables["senders"]
    assert ((senders.same_cell >= 0) & (senders.same_cell < 0.2)).all()
    routes = run.routes()
    last = routes[(routes.time_h == 10.0) & (routes["sample"] == "untreated")]
    il6 = last[last.molecule == "IL6"]
    assert il6[il6.receiver == "blood"].pmol.sum() > 0.5 * il6.pmol.sum()


@pytest.mark.slow
def test_without_il10_a_day_of_infection_has_half_more_tnf_il6_and_il1_in_the_blood():
    run = pc.run(pc.load("infection"), ["untreated", "IL-10 knocked out"])
    for analyte in ("TNF", "IL6", "IL1B"):
        without = area(run, analyte, "IL-10 knocked out")
        assert without >= 1.5 * area(run, analyte, "untreated"), analyte


@pytest.mark.slow
def test_halved_steps_change_the_blood_panel_by_less_than_three_per_cent():
    panels = []
    for longest in ("4 min", "2 min"):
        model = pc.load("infection", [f"run.steps.longest={longest}"])
        run = pc.run(model, "no neutrophils", duration="12 h")
        panels.append(run.panel())
    for analyte in ("TNF", "IL1B", "IL6", "CXCL8", "IL10", "CSF3", "CRP"):
        full, half = (p[(p.analyte == analyte) & (p.place == "blood")].value for p in panels)
        assert np.abs(full.to_numpy() - half.to_numpy()).max() < 0.03 * half.max(), analyte
