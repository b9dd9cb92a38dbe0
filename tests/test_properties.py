"""What holds for any dose, any time and any order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polycrine as pc
from polycrine.catalogue.library import catalogue
from polycrine.model.yamlfile import read_model
from polycrine.units import express, quantity

BODY = """
polycrine: 1
name: any
body: {{weight: 70 kg, plasma: 3 L, whole blood: 5 L}}
places:
  blood: {{kind: stirred, volume: plasma}}
  liver: {{kind: stirred, volume: 0.5 L}}
links: [{{between: [blood, liver], flow: 0.8 L/min}}]
cytokines: [{cytokines}]
mediators: [sIL6R, sgp130, sTNFR1]
cells:
  endothelium: {{in: blood, program: endothelium}}
  hepatocyte: {{in: liver, program: hepatocyte}}
events: [{events}]
observe: [{{panel: blood, every: 1 h}}]
run: {{for: 6 h}}
"""
few = settings(max_examples=12, deadline=None, derandomize=True)
doses = st.floats(0, 1000)
hours = st.floats(0, 7)


def run(events, cytokines="TNF, IL1B, IL1RN, IL6"):
    return pc.run(
        read_model(BODY.format(events=", ".join(events), cytokines=cytokines), "any.yaml")
    )


@few
@given(
    st.lists(st.tuples(st.sampled_from(["TNF", "IL6", "IL1RN"]), doses, hours, hours), max_size=3)
)
def test_the_ledger_closes_for_any_doses(given_doses):
    events = [
        f"{{give: {molecule}, dose: {dose} ug, at: {at} h, over: {over + 0.01} h}}"
        if k % 2
        else f"{{give: {molecule}, dose: {dose} ug, at: {at} h}}"
        for k, (molecule, dose, at, over) in enumerate(given_doses)
    ]
    books = run(events).ledger()
    assert books[books.process == "error"].share.max() < 1e-8


@few
@given(dose=doses, at=hours)
def test_levels_stay_above_zero_within_the_tolerance(dose, at):
    panel = run([f"{{give: TNF, dose: {dose} ug, at: {at} h}}"]).panel()
    assert panel.value.min() > -1e-6


@pytest.mark.parametrize("order", ["IL6, IL1RN, IL1B, TNF", "IL1B, TNF, IL6, IL1RN"])
def test_the_order_of_the_cytokines_changes_nothing(order):
    events = ["{give: TNF, dose: 5 ug}"]
    panels = [
        run(events, cytokines).panel().set_index(["analyte", "time_h"]).value
        for cytokines in ("TNF, IL1B, IL1RN, IL6", order)
    ]
    assert panels[1].reindex(panels[0].index).to_numpy() == pytest.approx(
        panels[0].to_numpy(), rel=1e-5
    )


@pytest.mark.parametrize(("back", "share"), [("", 1.0), (", back: 0.08 L/min", 0.1)])
def test_what_comes_back_less_than_it_goes_stands_lower(back, share):
    text = BODY.format(events="", cytokines="IL10").replace("0.8 L/min", f"0.8 L/min{back}")
    text = text.replace("[blood, liver]", "[liver, blood]").replace("blood, every", "liver, every")
    panel = pc.run(read_model(text, "any.yaml")).panel()
    levels = panel[(panel.analyte == "sTNFR1") & (panel.time_h == 0)].value
    healthy = catalogue().molecules["sTNFR1"].healthy_plasma
    assert levels.item() == pytest.approx(share * healthy.value, rel=1e-6)


WEIGHED = sorted(k for k, m in catalogue().molecules.items() if m.mass.value != "unknown")


@given(st.floats(1e-9, 1e12), st.sampled_from(WEIGHED))
def test_a_concentration_survives_the_way_to_pM_and_back(value, molecule):
    form = catalogue().active_form(molecule)
    assert express(
        quantity(f"{value} pg/mL", "concentration", form), "pg/mL", form
    ) == pytest.approx(value)
