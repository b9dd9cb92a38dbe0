"""Bad input never runs: each problem has its line, the rule and what to write instead."""

import sys

import pytest
import yaml

import polycrine as pc
from polycrine.cli import main
from polycrine.errors import InputError
from polycrine.model.yamlfile import read_model, write_model
from polycrine.scenarios.library import load, scenario_names

GOOD = """\
polycrine: 1
name: small
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places:
  blood: {kind: stirred, volume: plasma}
  liver: {kind: stirred, volume: 0.5 L}
links:
  - {between: [blood, liver], flow: 0.8 L/min}
cytokines: [TNF, IL6]
mediators: [LPS, LBP]
cells:
  monocyte: {in: blood, program: monocyte}
events:
  - {give: LPS, dose: 2 ng/kg, at: 0 h}
arms:
  no TNF: [{knock out: TNF}]
observe:
  - {panel: blood, every: 30 min}
  - {read: NFkB, in: monocyte, every: 30 min}
run: {for: 2 h}
"""
WRONG = {
    "unknown key": ("body: {weight", "body: {wieght", 3, "Did you mean 'weight'"),
    "misspelt cytokine": ("[TNF, IL6]", "[TNF, IL66]", 9, "Did you mean 'IL6'"),
    "another name of a cytokine": ("[TNF, IL6]", "[TNF, IL-6]", 9, "is written 'IL6' here"),
    "the same cytokine twice": ("[TNF, IL6]", "[TNF, TNF, IL6]", 9, "listed twice"),
    "wrong dimension": ("every: 30 min}\n  - {read", "every: 30 L}\n  - {read", 18, "is a volume"),
    "no unit": ("weight: 70 kg", "weight: 70", 3, "a plain number without a unit"),
    "negative rate": ("flow: 0.8 L/min", "flow: -0.8 L/min", 8, "must be above zero"),
    "back without a flow": ("flow: 0.8 L/min", "back: 0.8 L/min", 8, "beside a 'flow'"),
    "missing place": ("in: blood, program", "in: bone, program", 12, "no place of this model"),
    "missing key": ("name: small\n", "", 1, "'name' is missing"),
    "key written twice": ("name: small\n", "name: small\nname: again\n", 3, "first on line 2"),
    "bad YAML": ("cells:\n", "cells: [\n", 13, "began on line 11"),
    "a text that refers to itself": ("[TNF, IL6]", "&a [*a]", 1, "refers to itself"),
    "NaN": ("dose: 2 ng/kg", "dose: nan ng/kg", 14, "not a finite number"),
    "negative dose": ("dose: 2 ng/kg", "dose: -2 ng/kg", 14, "is negative"),
    "unknown program": ("program: monocyte", "program: monocites", 12, "Did you mean 'monocyte'"),
    "unknown read-out": ("read: NFkB", "read: NFKBIA", 19, "Did you mean 'NFkB"),
    "unknown molecule in an arm": (
        "{knock out: TNF}",
        "{knock out: TNFA}",
        16,
        "Did you mean 'TNF'",
    ),
    "a dose and a concentration": (
        "dose: 2 ng/kg,",
        "dose: 2 ng/kg, concentration: 1 pM,",
        14,
        "either 'dose' or 'concentration'",
    ),
    "infusion without a dose": ("dose: 2 ng/kg,", "over: 1 h,", 14, "either 'dose' or"),
    "a kind of place that is not there": (
        "stirred, volume: plasma",
        "pond, volume: plasma",
        5,
        "Write 'stirred'",
    ),
    "plasma without a body": (
        "body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}\n",
        "",
        4,
        "needs a body",
    ),
    "unknown number": (
        "events:",
        "numbers: {TNF.clearence: 1 L/min}\nevents:",
        13,
        "Did you mean 'TNF.clearance'",
    ),
    "number of another dimension": (
        "events:",
        "numbers: {TNF.clearance: 1 L}\nevents:",
        13,
        "is a volume",
    ),
    "an event that is none": ("{give: LPS, dose", "{gave: LPS, dose", 14, "'give' is missing"),
    "a link to itself": ("[blood, liver]", "[blood, blood]", 8, "two different places"),
    "tolerance": ("run: {for: 2 h}", "run: {for: 2 h, relative tolerance: 2}", 20, "tolerance"),
}


def test_the_good_file_is_good():
    model = read_model(GOOD, "model.yaml")
    assert read_model(write_model(model), "again.yaml") == model


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_says_where_why_and_what_instead(name):
    old, new, line, says = WRONG[name]
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        read_model(GOOD.replace(old, new, 1), "model.yaml")
    assert any(
        problem.place == f"model.yaml:{line}" and says in str(problem)
        for problem in caught.value.problems
    ), str(caught.value)


def test_every_problem_is_told_at_once():
    text = GOOD.replace("[TNF, IL6]", "[TNF, IL66]").replace("in: blood", "in: bone")
    text = text.replace("dose: 2 ng/kg", "dose: 2 L").replace("read: NFkB", "read: NFKBIA")
    text = text.replace("weight: 70 kg", "weight: 70 L").replace("blood, every", "blood, evry")
    with pytest.raises(InputError) as caught:
        read_model(text, "model.yaml")
    assert {problem.place for problem in caught.value.problems} == {
        *(f"model.yaml:{line}" for line in (3, 9, 12, 14, 18, 19))
    }


@pytest.mark.parametrize("name", WRONG)
def test_the_command_line_exits_with_2_and_writes_nothing(name, tmp_path, monkeypatch, capsys):
    old, new, line, _ = WRONG[name]
    (tmp_path / "model.yaml").write_text(GOOD.replace(old, new, 1), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["polycrine", "run", "model.yaml"])
    with pytest.raises(SystemExit) as exited:
        main()
    assert exited.value.code == 2
    assert f"model.yaml:{line}" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.yaml"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("events.LPS.dose=3 min", "is a duration"),
        ("evnts.LPS.dose=1 ng/kg", "Did you mean 'events'"),
        ("events.TNF.dose=1 ng/kg", "'TNF' is not in the model"),
        ("run.for", "written path=value"),
        ("numbers.IL6.clearence=1 L/min", "Did you mean 'IL6.clearance'"),
    ],
)
def test_a_wrong_setting_is_told(setting, says):
    with pytest.raises(InputError, match=says):
        load("endotoxemia", [setting])


def test_settings_reach_what_they_name():
    model = load(
        "endotoxemia",
        [
            "events.LPS.dose=1 ng/kg",
            "run.for=6 h",
            "body.whole_blood=4 L",
            "numbers.IL6.clearance=1 L/min",
        ],
    )
    assert model.events[0].dose == "1 ng/kg"
    assert model.run.duration == "6 h"
    assert model.body.whole_blood == "4 L"
    assert model.numbers == {"IL6.clearance": "1 L/min"}


def test_a_declaration_made_in_python_is_the_same_and_as_strictly_checked():
    declared = yaml.load(GOOD, yaml.BaseLoader)
    assert pc.Model.model_validate(declared) == read_model(GOOD, "model.yaml")
    declared["cells"]["monocyte"]["in"] = "bone"
    with pytest.raises(InputError, match="model.cells.monocyte.in: 'bone' is no place"):
        pc.run(pc.Model.model_validate(declared))


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_survives_a_round_trip_through_its_text(name):
    model = load(name)
    assert read_model(write_model(model), name) == model
