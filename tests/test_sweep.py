"""Sweeps: virtual patients, dose matrices, indices, and what is cut off goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.model.plan import read_plan
from polycrine.report.sweep import write_sweep_report
from polycrine.results.sweep import load_sweep, shards
from polycrine.runs import layout
from polycrine.runs.run import Stopped, Watch
from polycrine.runs.sweep import sweep
from polycrine.scenarios.library import load, load_plan

BLOOD = """
polycrine: 1
name: one dose of IL-10
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places: {blood: {kind: stirred, volume: plasma}}
cytokines: [IL10]
numbers: {IL10.healthy_plasma: 0 pg/mL, IL10.clearance: 70 mL/min}
events: [{give: IL10, dose: 1 ug/kg, at: 1 h}]
arms: {twice: [{give: IL10, dose: 1 ug/kg, at: 3 h}]}
observe: [{panel: blood, every: 30 min}]
run: {for: 8 h, settle: 1 h}
"""
PEOPLE = """
polycrine: 1
sweep: people
model: blood.yaml
seed: 3
patients:
  count: 40
  sex: {female: 50 %}
  weight: {median: 80 kg, cv: 15 %, low: 60 kg, high: 100 kg, female: 0.85}
  numbers:
    body.plasma: {weight: 1}
    IL10.clearance: {cv: 30 %, weight: 0.75, female: 0.9}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "blood.yaml").write_text(BLOOD)
    return tmp_path


def run_plan(folder, text, name="out", watch=None):
    (folder / f"{name}.plan.yaml").write_text(text)
    plan, model, document = load_plan(folder / f"{name}.plan.yaml")
    return sweep(plan, model, folder / name, document=document, watch=watch)


def kept(folder):
    return {first: arrays for first, arrays in shards(folder)}


def same(one, other):
    assert one.keys() == other.keys()
    for first in one:
        for name, values in one[first].items():
            numeric = values.dtype.kind == "f"
            assert np.array_equal(values, other[first][name], equal_nan=numeric), name


def test_every_patient_follows_the_exact_solution_of_their_own_body(folder):
    done = run_plan(folder, PEOPLE)
    table, levels = done.members, done.levels()
    assert set(table.status) == {"done"}
    clearance, volume = table["IL10.clearance (mL/min)"] / 1000, table["body.plasma (L)"]
    hours = levels.time.values
    after = np.clip(hours - 1.0, 0.0, None) * 60
    dose = 1000.0 * table.weight_kg  # ng
    exact = (dose / volume).to_numpy()[:, None] * np.exp(-np.outer(clearance / volume, after))
    seen = levels.value.sel(analyte="IL10 in blood").values
    late = hours > 1.0
    np.testing.assert_allclose(seen[:, late], exact[:, late], rtol=2e-5)
    assert (seen[:, ~late] == 0).all()  # at a dose, what is seen is what was before it


def test_people_are_as_their_plan_says(folder):
    people = run_plan(folder, PEOPLE.replace("count: 40", "count: 4000")).members
    women, men = (people[people.sex == sex] for sex in ("female", "male"))
    assert abs(len(women) / len(people) - 0.5) < 0.03
    assert people.weight_kg.between(60, 100).all()
    own = people["IL10.clearance (mL/min)"] / (70 * (people.weight_kg / 70) ** 0.75)
    assert own[women.index].median() / own[men.index].median() == pytest.approx(0.9, abs=0.02)
    spread = np.log(own[men.index]).std()
    assert spread == pytest.approx(np.sqrt(np.log(1 + 0.3**2)), rel=0.05)
    np.testing.assert_allclose(people["body.plasma (L)"], 3 * people.weight_kg / 70, rtol=1e-12)


def test_a_patient_is_the_same_whoever_else_is_drawn(folder):
    few = run_plan(folder, PEOPLE.replace("count: 40", "count: 5"), "few")
    many = run_plan(folder, PEOPLE, "many")
    own = few.members.columns.difference(["steps_accepted", "steps_rejected"])
    assert few.members[own].equals(many.members[own].head(5))


def test_numbers_that_correlate_and_are_cut_off(folder):
    text = """
sweep: two numbers
model: blood.yaml
patients:
  count: 3000
  numbers:
    IL10.clearance: {cv: 50 %, low: 30 mL/min, high: 150 mL/min}
    body.plasma: {cv: 20 %}
  correlations: [{between: [IL10.clearance, body.plasma], is: 0.8}]
"""
    people = run_plan(folder, text).members
    clearance, volume = people["IL10.clearance (mL/min)"], people["body.plasma (L)"]
    assert clearance.between(30, 150).all()
    assert clearance.rank().corr(volume.rank()) == pytest.approx(0.786, abs=0.03)  # 6/pi asin(r/2)


def test_only_plausible_patients_count(folder):
    accept = "  accept: [{panel: blood, of: IL10, value: end, low: 1 pg/mL}]\n"
    done = run_plan(folder, PEOPLE + accept)
    told = done.members.status.value_counts()
    assert told["done"] == 40
    assert told["implausible"] > 0
    ends = done.members["IL10 in blood, end (pg/mL)"]
    assert (ends[done.members.status == "done"] >= 1).all()
    assert (ends[done.members.status == "implausible"] < 1).all()
    assert (done.bands.n == 40).all()


def test_a_dose_matrix_is_every_combination_in_every_arm(folder):
    text = """
sweep: doses
model: blood.yaml
arms: [untreated, twice]
grid:
  IL10.dose: [0 ug/kg, 1 ug/kg, 4 ug/kg]
  IL10.clearance: [35 mL/min, 70 mL/min]
"""
    done = run_plan(folder, text)
    assert "Peaks over the values of the grid" in write_sweep_report(done).read_text("utf-8")
    table = done.members
    assert len(table) == 12
    assert table.member.tolist() == list(range(12))
    peak = table["IL10 in blood, peak (pg/mL)"]
    assert (peak[table["IL10.dose"] == "0 ug/kg"] == 0).all()
    once = table[table.arm == "untreated"].set_index(["IL10.dose", "IL10.clearance"])
    peak = once["IL10 in blood, peak (pg/mL)"]
    high, low = (peak[f"{dose} ug/kg", "70 mL/min"] for dose in (4, 1))
    assert high == pytest.approx(4 * low, rel=1e-5)


def test_a_model_of_cells_gives_one_patient_what_a_run_gives(tmp_path):
    model = load("whole-blood", ["run.for=6 h"])
    (tmp_path / "plan.yaml").write_text(
        "sweep: one\nmodel: whole-blood\nsettings: [run.for=6 h]\npatients: {count: 2}\n"
    )
    plan, same_model, document = load_plan(tmp_path / "plan.yaml")
    done = sweep(plan, same_model, tmp_path / "out", document=document)
    alone = pc.run(model).panel()
    for analyte, levels in alone.groupby("analyte"):
        place = levels.place.iloc[0]
        seen = done.levels().value.sel(analyte=f"{analyte} in {place}").values
        scale = levels.value.max()
        np.testing.assert_allclose(seen[0], levels.value, rtol=1e-4, atol=1e-5 * scale)
        assert np.array_equal(seen[0], seen[1])


def test_what_was_cut_off_goes_on_and_has_the_same_bits(folder, monkeypatch):
    monkeypatch.setattr(layout, "PIECE", 8)
    whole = run_plan(folder, PEOPLE, "whole")
    turns = 0

    def stopping():
        nonlocal turns
        turns += 1
        return turns == 2

    with pytest.raises(Stopped):
        run_plan(folder, PEOPLE, "parts", Watch(stopping=stopping))
    partial = folder / "parts.partial"
    first = kept(partial)
    assert 0 < len(first) < 5
    before = {path: path.stat().st_mtime_ns for path in (partial / "members").iterdir()}
    parts = run_plan(folder, PEOPLE, "parts")
    after = {p.name: p.stat().st_mtime_ns for p in (folder / "parts" / "members").iterdir()}
    assert all(after[path.name] == time for path, time in before.items())
    same(kept(folder / "whole"), kept(folder / "parts"))
    assert parts.members.equals(whole.members)
    assert parts.bands.equals(whole.bands)


def test_a_finished_sweep_is_not_run_again_and_another_one_not_written_over_it(folder):
    done = run_plan(folder, PEOPLE)
    again = run_plan(folder, PEOPLE)
    assert again.info["written"] == done.info["written"]
    with pytest.raises(InputError, match="another plan"):
        run_plan(folder, PEOPLE.replace("seed: 3", "seed: 4"))
    with pytest.raises(InputError, match="no finished sweep"):
        load_sweep(folder / "nowhere")


@pytest.mark.slow
def test_a_sweep_that_is_killed_ten_times_has_every_member_once(folder):
    text = PEOPLE.replace("count: 40", "count: 40000")
    (folder / "plan.yaml").write_text(text)
    run_plan(folder, text, "whole")
    chance = np.random.default_rng(5)
    program = Path(sys.executable).with_name("polycrine")
    command = [program, "sweep", "plan.yaml", "--out", "cut", "-q"]
    killed = 0
    while not (folder / "cut").exists():
        process = subprocess.Popen(command, cwd=folder, env=os.environ, start_new_session=True)
        if killed < 10:
            begun = len(list((folder / "cut.partial" / "members").glob("*.npz")))
            while len(list((folder / "cut.partial" / "members").glob("*.npz"))) < begun + 3:
                time.sleep(0.01)
                assert process.poll() is None
            time.sleep(chance.uniform(0.0, 0.1))
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed == 10
    same(kept(folder / "whole"), kept(folder / "cut"))
    members = load_sweep(folder / "cut").members
    assert members.member.tolist() == list(range(len(members)))
    assert (members.status == "done").sum() == 40000
    assert members.equals(load_sweep(folder / "whole").members)


def test_sobol_indices_of_a_product_are_those_of_its_factors(folder):
    pytest.importorskip("SALib")
    text = """
sweep: what matters
model: blood.yaml
indices:
  method: Sobol
  base: 256
  numbers:
    IL10.dose: {distribution: log-uniform, low: 0.5 ug/kg, high: 2 ug/kg}
    body.plasma: {distribution: log-uniform, low: 2.5 L, high: 3.6 L}
"""
    found = run_plan(folder, text).indices
    peaks = found[found.outcome.str.contains("peak")].set_index("number")
    spans = np.log(4.0) ** 2, np.log(3.6 / 2.5) ** 2  # the logarithm of the peak is their sum
    for number, span in zip(("IL10.dose", "body.plasma"), spans, strict=True):
        assert peaks["first"][number] == pytest.approx(span / sum(spans), abs=0.06)
        assert peaks["total"][number] == pytest.approx(span / sum(spans), abs=0.06)


def test_morris_ranks_a_number_that_nothing_depends_on_last(folder):
    pytest.importorskip("SALib")
    text = """
sweep: what matters
model: blood.yaml
indices:
  method: Morris
  base: 8
  numbers:
    IL10.dose: {distribution: log-uniform, low: 0.5 ug/kg, high: 2 ug/kg}
    body.whole_blood: {distribution: uniform, low: 4 L, high: 6 L}
"""
    found = run_plan(folder, text).indices
    peaks = found[found.outcome.str.contains("peak")].set_index("number")
    assert peaks.mu_star["body.whole_blood"] == pytest.approx(0.0, abs=1e-9)
    assert peaks.mu_star["IL10.dose"] > 0.5


def test_indices_are_of_read_outs_too(tmp_path):
    pytest.importorskip("SALib")
    (tmp_path / "plan.yaml").write_text(
        "sweep: x\nmodel: il-2-panel\narms: [IL-2]\nindices:\n  method: Morris\n  base: 4\n"
        "  numbers: {IL2.dose: {distribution: log-uniform, low: 0.1 nM, high: 10 nM}}\n"
    )
    plan, model, document = load_plan(tmp_path / "plan.yaml")
    found = sweep(plan, model, tmp_path / "out", document=document).indices
    assert "pSTAT5 in NK cell, peak" in set(found.outcome)


def test_a_plausible_range_needs_a_panel_that_sees_all(folder):
    free = BLOOD.replace("every: 30 min}", "every: 30 min, assay: free}")
    (folder / "blood.yaml").write_text(free)
    accept = "  accept: [{panel: blood, of: IL10, value: end, low: 1 pg/mL}]\n"
    with pytest.raises(InputError, match="that sees all"):
        run_plan(folder, PEOPLE + accept)


def test_a_report_shows_bands_over_what_was_measured(tmp_path):
    plan, model, document = load_plan("endotoxemia-patients")
    few = plan.patients.model_copy(update={"count": 16})
    plan = plan.model_copy(update={"patients": few, "every": "1 h"})
    page = write_sweep_report(sweep(plan, model, tmp_path / "out", document=document))
    text = page.read_text("utf-8")
    assert "16 members are done" in text
    assert "Measured: median" in text
    assert (tmp_path / "out" / "figures" / "bands.svg").is_file()


WRONG = """
sweep: all that can be wrong
model: blood.yaml
arms: [thrice]
patients:
  count: 10
  weight: {median: 80 kg, cv: 15 %, low: 90 kg, high: 100 kg}
  numbers:
    IL10.clearence: {cv: 30 %}
    IL10.clearance: {cv: 30 %, low: 3 kg}
    body.weight: {distribution: uniform, low: 90 kg, high: 60 kg}
    body.plasma: {}
    body.whole_blood: {cv: 10 %, age: 1}
  correlations: [{between: [IL10.clearance, IL6.clearance], is: 0.5}]
  accept: [{panel: lung, of: IL8, value: peak}]
grid: {IL10.dose: [1 ug/kg, -1 ug/kg]}
"""


def test_everything_that_is_wrong_with_a_plan_is_said_at_once(folder):
    with pytest.raises(InputError) as caught:
        run_plan(folder, WRONG)
    told = str(caught.value)
    for words in (
        "out.plan.yaml:4: the model has no arm 'thrice'",
        "out.plan.yaml:7: low, median and high",
        "'IL10.clearence' is no number or dose of this model. Did you mean 'IL10.clearance'",
        "'3 kg' cannot be compared with '70 mL/min'",
        "'90 kg' is not below '60 kg'",
        "nothing says how it varies",
        "depends on age, which nobody here has",
        "'IL6.clearance' does not vary",
        "'lung' is no place",
        "'IL8' is no molecule",
        "'-1 ug/kg' is negative",
    ):
        assert words in told, words


def test_a_plan_without_anything_to_sweep_and_one_with_two_samples_are_refused():
    with pytest.raises(InputError, match="needs 'patients', a 'grid' or 'indices'"):
        read_plan("sweep: nothing\nmodel: endotoxemia\n", "plan.yaml")
    numbers = "{method: Sobol, base: 4, numbers: {a: {cv: 1}}}"
    text = f"sweep: x\nmodel: y\npatients: {{count: 2}}\nindices: {numbers}"
    with pytest.raises(InputError, match="leave out 'patients' and 'grid'"):
        read_plan(text, "plan.yaml")


@pytest.mark.parametrize(
    "words",
    [
        "grid: {IL10.dose: []}",
        "indices: {method: Sobol, base: 8, numbers: {}}",
        "patients: {count: 0}",
        "patients: {count: 3}\nseed: -1",
    ],
)
def test_a_plan_that_asks_for_nothing_or_an_impossible_number_is_refused(words):
    with pytest.raises(InputError, match="plan.yaml:3|plan.yaml:4"):
        read_plan(f"sweep: x\nmodel: y\n{words}\n", "plan.yaml")


def test_a_sweep_over_a_tissue_is_refused(tmp_path):
    Path(tmp_path / "plan.yaml").write_text("sweep: x\nmodel: infection\npatients: {count: 2}\n")
    plan, model, document = load_plan(tmp_path / "plan.yaml")
    with pytest.raises(InputError, match="has a tissue"):
        sweep(plan, model, tmp_path / "out", document=document)
