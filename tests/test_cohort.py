"""Simulated people in groups, as plates would measure them."""

import numpy as np
import pandas as pd
import pytest

from polycrine.errors import InputError
from polycrine.laboratory.assay import imprecision
from polycrine.readouts.panel import detection_limit
from polycrine.runs.cohort import assay_of
from polycrine.runs.layout import lay_out
from polycrine.runs.sweep import sweep
from polycrine.scenarios.library import load_plan

MODEL = """
polycrine: 1
name: one dose of IL-10
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places: {blood: {kind: stirred, volume: plasma}}
cytokines: [IL10]
numbers: {IL10.healthy_plasma: 0 pg/mL, IL10.clearance: 70 mL/min}
arms:
  little: [{give: IL10, dose: 1 ug/kg, at: 1 h}]
  much: [{give: IL10, dose: 4 ug/kg, at: 1 h}]
observe: [{panel: blood, every: 1 h}]
run: {for: 3 h, settle: 1 h}
"""
PLAN = """
polycrine: 1
sweep: three groups
model: model.yaml
seed: 3
patients: {count: 60, numbers: {IL10.clearance: {cv: 10 %}}}
cohort: {panel: blood, groups: {none: untreated, some: little, more: much}}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    (folder / "model.yaml").write_text(MODEL)
    (folder / "plan.yaml").write_text(PLAN)
    plan, model, document = load_plan(folder / "plan.yaml")
    return sweep(plan, model, folder / "out", document=document), lay_out(plan, model, document)


@pytest.fixture(scope="module")
def cohort(done):
    return pd.read_csv(done[0].folder / "cohort.csv", keep_default_na=False)


def test_each_person_is_in_one_group_and_all_groups_are_as_large(cohort):
    groups = cohort.groupby("subject").group.nunique()
    assert (groups == 1).all()
    assert cohort.drop_duplicates("subject").group.value_counts().to_dict() == {
        "none": 20,
        "some": 20,
        "more": 20,
    }
    assert (cohort.origin == "simulated").all()


def test_a_level_below_the_assay_is_its_limit_and_says_so(done, cohort):
    assay = assay_of(done[1].analytes[0])
    nobody = cohort[cohort.group == "none"]
    assert (nobody.flag == "below").all()
    assert nobody.value.to_numpy() == pytest.approx(assay.limits[0], rel=1e-3)
    assert min(assay.standards) == pytest.approx(detection_limit("IL10"))


def test_what_is_measured_scatters_about_what_is_true_as_the_assay_says(done, cohort):
    true = done[0].levels().value.sel(analyte="IL10 in blood").to_numpy()
    rows = done[0].members[done[0].members.status == "done"].index
    seen = cohort.value.to_numpy(dtype=float).reshape(len(rows), -1)
    fine = (cohort.flag == "").to_numpy().reshape(seen.shape)
    assay = assay_of(done[1].analytes[0])
    off = np.log(seen[fine] / true[rows][fine]) / imprecision(true[rows][fine], assay)
    assert abs(off.mean()) < 0.6  # a few plates share their scale
    assert 0.5 < off.std() < 1.5


def test_a_cohort_with_arms_or_unknown_groups_is_refused(tmp_path):
    (tmp_path / "model.yaml").write_text(MODEL)
    for text, rule in (
        (PLAN + "arms: [little]", "groups in place of 'arms'"),
        (PLAN.replace("much}", "mush}"), "no arm 'mush'.*much"),
        (PLAN.replace("panel: blood", "panel: blod"), "no panel of 'blod'.*blood"),
    ):
        (tmp_path / "plan.yaml").write_text(text)
        with pytest.raises(InputError, match=rule):
            lay_out(*load_plan(tmp_path / "plan.yaml"))
