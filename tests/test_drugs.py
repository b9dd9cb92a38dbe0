"""Drugs: kinetics against exact solutions, doses by every route, and what trials found."""

import numpy as np
import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.model.yamlfile import read_model
from polycrine.readouts.timing import summary

BODY = """
polycrine: 1
name: a drug alone
body: {{weight: 70 kg, plasma: 3 L, whole blood: 5 L}}
places:
  blood: {{kind: stirred, volume: plasma}}
  liver: {{kind: stirred, volume: 1 L}}
links: [{{between: [blood, liver], flow: 1 L/min}}]
cytokines: [{cytokines}]
events: [{events}]
observe: [{{panel: blood, every: 6 h}}]
run: {{for: {days} d, settle: 1 h}}
"""


def alone(events, days=10, cytokines="IL2", numbers=""):
    text = BODY.format(events=events, days=days, cytokines=cytokines)
    return pc.run(read_model(text + numbers, "drug.yaml"))


def level(run, analyte):
    table = run.panel().query("analyte == @analyte and place == 'blood'")
    return table.set_index("time_h").value


def closes(run):
    ledger = run.ledger()
    return ledger[ledger.process == "error"].share.max() < 1e-10


def test_two_compartments_have_their_exact_course():
    run = alone("{give: infliximab, dose: 5 mg/kg}", days=28)
    first, second, exchange, clearance = 3.29, 4.13, 7.14, 0.407
    rates = np.array(
        [
            [-(clearance + exchange) / first, exchange / first],
            [exchange / second, -exchange / second],
        ]
    )
    values, vectors = np.linalg.eig(rates)
    parts = np.linalg.solve(vectors, [350.0 / first, 0.0])
    seen = level(run, "infliximab").iloc[1:]
    exact = np.exp(np.outer(seen.index / 24, values)) @ (vectors[0] * parts)
    np.testing.assert_allclose(seen, exact, rtol=1e-5)
    assert closes(run)


def test_what_is_swallowed_comes_and_goes_as_bateman_says():
    run = alone("{give: baricitinib, dose: 4 mg, route: by mouth}", days=2)
    rate, leaves, share, volume = 4.0, 7.66 / 76, 0.79, 76.0
    hours = level(run, "baricitinib").index.to_numpy()
    exact = (
        4e3
        * share
        / volume
        * rate
        / (rate - leaves)
        * (np.exp(-leaves * hours) - np.exp(-rate * hours))
    )
    np.testing.assert_allclose(level(run, "baricitinib"), exact, rtol=1e-5, atol=1e-9)
    lost = run.ledger().query("process == 'lost before the blood'").pmol.iloc[0]
    given = run.ledger().query("molecule == 'baricitinib' and process == 'given'").pmol.iloc[0]
    assert lost == pytest.approx(-(1 - share) * given, rel=1e-6)
    assert closes(run)


def test_doses_by_body_mass_by_units_repeated_and_loading_are_what_they_say():
    heavy = alone("{give: dexamethasone, dose: 0.1 mg/kg}", days=1)
    plain = alone("{give: dexamethasone, dose: 7 mg}", days=1)
    np.testing.assert_allclose(level(heavy, "dexamethasone"), level(plain, "dexamethasone"))
    units = alone("{give: aldesleukin, dose: 18e6 IU}", days=1)
    mass = alone("{give: IL2, dose: 1.1 mg}", days=1)
    np.testing.assert_allclose(level(units, "IL2"), level(mass, "IL2"), rtol=1e-3)
    loaded = "{give: infliximab, dose: 100 mg, loading: 300 mg, every: 2 d, times: 3}"
    apart = ", ".join(
        f"{{give: infliximab, dose: {dose} mg, at: {day} d}}"
        for day, dose in ((0, 300), (2, 100), (4, 100))
    )
    together, one_by_one = alone(loaded), alone(apart)
    np.testing.assert_allclose(
        level(together, "infliximab"), level(one_by_one, "infliximab"), rtol=1e-6
    )


def test_an_infusion_gives_what_a_bolus_gives_in_its_time():
    run = alone("{give: infliximab, dose: 350 mg, over: 2 h}", days=1)
    given = run.ledger().query("molecule == 'infliximab' and process == 'given'").pmol.iloc[0]
    assert given == pytest.approx(350e6 / 149.1, rel=1e-9)
    assert closes(run)


def patient(arms, days=2):
    text = f"""
polycrine: 1
name: targets
body: {{weight: 70 kg, plasma: 3 L, whole blood: 5 L}}
places:
  blood: {{kind: stirred, volume: plasma}}
  liver: {{kind: stirred, volume: 0.5 L}}
links: [{{between: [blood, liver], flow: 0.8 L/min}}]
cytokines: [IL6]
mediators: [sIL6R]
cells: {{hepatocyte: {{in: liver, program: hepatocyte}}}}
arms: {arms}
observe: [{{panel: blood, every: 1 h}}, {{panel: blood, every: 1 h, assay: free}},
  {{panel: blood, every: 1 h, assay: complexed}}, {{read: IL6R, in: hepatocyte, every: 1 h}}]
run: {{for: {days} d}}
"""
    return pc.run(read_model(text, "targets.yaml"), "all")


def test_targets_take_the_published_part_of_a_drug_whether_the_model_has_them_or_not():
    with_targets = patient("{dose: [{give: tocilizumab, dose: 1 g}]}")
    without = alone("{give: tocilizumab, dose: 1 g}", days=2, cytokines="IL6")
    one = with_targets.panel().query("sample == 'dose' and analyte == 'tocilizumab'")
    other = level(without, "tocilizumab").iloc[-1]
    assert one.value.iloc[-1] == pytest.approx(other, rel=0.02)
    assert closes(with_targets)


def test_an_assay_sees_what_is_free_what_is_bound_or_both():
    run = patient("{dose: [{give: tocilizumab, dose: 8 mg/kg}]}")
    total, free, bound = (
        run.panel(assay).query("sample == 'dose' and analyte == 'sIL6R'").value
        for assay in ("total", "free", "complexed")
    )
    np.testing.assert_allclose(free + bound, total, rtol=1e-9)
    assert free.iloc[-1] < 0.02 * total.iloc[-1]
    assert total.iloc[-1] > 2 * total.iloc[0]


def test_an_antibody_holds_receptors_on_cells_of_the_liver():
    run = patient("{dose: [{give: tocilizumab, dose: 8 mg/kg}]}")
    free = run.reads().query("sample == 'dose' and species == 'IL6R'").value
    assert free.iloc[-1] < 0.01 * free.iloc[0]


@pytest.fixture(scope="module")
def arthritis():
    return pc.run(pc.load("rheumatoid-arthritis"), "all")


def end(run, analyte, sample, day=None):
    table = run.panel().query("analyte == @analyte and sample == @sample").set_index("time_h").value
    return table.iloc[-1] if day is None else table.loc[24.0 * day]


def test_tocilizumab_raises_IL6_and_soluble_receptor_and_lowers_CRP(arthritis):
    for arm in ("tocilizumab 8 mg/kg", "tocilizumab under the skin"):
        assert end(arthritis, "IL6", arm, 7) > 1.5 * end(arthritis, "IL6", "untreated")
        assert end(arthritis, "CRP", arm, 7) < 0.4 * end(arthritis, "CRP", "untreated")
    assert closes(arthritis)


def test_soluble_receptor_under_weekly_tocilizumab_comes_to_what_a_trial_measured(arthritis):
    """Plateau of 670 +/- 211 ng/mL of complexes, 162 mg a week (doi 10.5414/CP201904)."""
    plateau = end(arthritis, "sIL6R", "tocilizumab under the skin") / 1000
    assert 459 < plateau < 881


def test_baricitinib_lowers_CRP_and_leaves_IL6(arthritis):
    assert end(arthritis, "CRP", "baricitinib", 14) < 0.7 * end(arthritis, "CRP", "untreated")
    assert end(arthritis, "IL6", "baricitinib", 14) == pytest.approx(
        end(arthritis, "IL6", "untreated"), rel=0.02
    )


# what each trial found, as ratios of peaks: +1 up, -1 down, 0 none
TRIALS = {
    # Van Zee 1995: 133 mg/h; cytokines, acute phase proteins and hormones as without
    "anakinra": dict.fromkeys(("TNF", "IL6", "CXCL8", "IL10", "CRP", "cortisol", "sTNFR1"), 0),
    # Pajkrt 1997: 25 ug/kg 2 min before endotoxin
    "IL-10 given": {"TNF": -1, "IL6": -1, "CXCL8": -1, "IL1RN": -1, "cortisol": -1, "LPS": 0},
    # and an hour after it
    "IL-10 given an hour later": {"TNF": 0, "IL6": 0, "CXCL8": 0},
    # van der Poll 1997 (TNF activity, LBP); 1994, chimpanzees with an antibody (IL-10, IL-1Ra)
    "etanercept": {"free TNF": -1, "IL10": -1, "IL1RN": -1, "LBP": 0, "LPS": 0},
}


@pytest.mark.parametrize("arm", TRIALS)
def test_a_drug_changes_the_panel_of_endotoxemia_as_its_trial_found_and_only_there(arms, arm):
    peaks = summary(arms.panel()).pivot_table("peak", "analyte", "sample")
    free = arms.states.value.sel(species="blood.TNF").max("time").to_series()
    peaks.loc["free TNF"] = free
    ratio = peaks[arm] / peaks["untreated"]
    for analyte, direction in TRIALS[arm].items():
        if direction == 0:
            assert 0.9 < ratio[analyte] < 1.1, analyte
        else:
            assert direction * np.log(ratio[analyte]) > np.log(1.1), (analyte, ratio[analyte])


def test_a_trap_that_lets_go_makes_assays_read_more_TNF(arms):
    peaks = summary(arms.panel()).pivot_table("peak", "analyte", "sample")
    assert peaks.loc["TNF", "etanercept"] > 2 * peaks.loc["TNF", "untreated"]


def test_a_drug_reaches_a_tissue_and_no_molecule_of_it_is_lost():
    model = pc.load("infection", ["run.for=2 h"])
    arms = {"tcz": read_model_events("{give: tocilizumab, dose: 8 mg/kg, at: 0 h}")}
    run = pc.run(model.model_copy(update={"arms": arms}), "tcz", duration="2 h")
    table = run.panel().query("analyte == 'tocilizumab'").groupby("place").value.last()
    assert table["blood"] > 50
    assert 0 < table["lung"] < table["blood"]
    ledger = run.ledger()
    assert ledger.query("molecule == 'tocilizumab' and process == 'error'").share.max() < 1e-6


def read_model_events(event):
    text = BODY.format(events=event, days=1, cytokines="IL6")
    return read_model(text, "drug.yaml").events


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("{give: tocilizumab, dose: 1 g, route: by mouth}", "is absorbed by mouth is not known"),
        ("{give: tocilizumb, dose: 1 g}", "Did you mean 'tocilizumab'"),
        ("{give: infliximab, dose: 1 g, into: liver}", "is given into the blood"),
        ("{give: infliximab, dose: 1 g, into: blood, route: under the skin}", "either 'into'"),
        ("{give: baricitinib, dose: 4 mg, over: 1 h, route: by mouth}", "'dose' at once"),
        ("{give: infliximab, dose: 1 g, loading: 2 g}", "first of several doses"),
        ("{give: infliximab, dose: 1 IU}", "no activity per mass is known"),
        ("{give: infliximab, dose: 1 g, route: through the skin}", "does not fit 'route'"),
    ],
)
def test_a_dose_that_cannot_be_is_refused_with_what_to_write(event, told):
    with pytest.raises(InputError, match=told):
        alone(event)
