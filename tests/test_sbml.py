import json
import re
import sys

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("libsbml", reason="python-libsbml is not installed")

from sbml_texts import sbml  # noqa: E402

import polycrine as pc  # noqa: E402
from polycrine.cli import main  # noqa: E402
from polycrine.errors import InputError, NumericsError  # noqa: E402
from polycrine.network.sbml import read_sbml  # noqa: E402
from polycrine.runs.export import to_sbml
from polycrine.runs.sbml import Accuracy, simulate  # noqa: E402


def over_time(text, end=2.0, points=5, **options):
    return simulate(read_sbml(text), end, points, **options)


def test_a_species_is_shown_as_concentration_and_on_request_as_amount():
    text = sbml({"c": 4.0}, {"A": {"initialAmount": 8.0}}, {"k": 1.0}, [("k*A*c", {"A": -1})])
    table, amounts = over_time(text), over_time(text, amounts=True)
    assert table.A.to_numpy() == pytest.approx(2.0 * np.exp(-table.time), rel=1e-6)
    assert amounts.A.to_numpy() == pytest.approx(8.0 * np.exp(-table.time), rel=1e-6)
    assert list(table.columns) == ["time", "A", "r0"]


def test_a_species_in_substance_units_means_its_amount_in_a_law():
    told = {"initialConcentration": 2.0, "hasOnlySubstanceUnits": True}
    text = sbml({"c": 4.0}, {"A": told}, {"k": 1.0}, [("k*A", {"A": -1})])
    table = over_time(text, amounts=True)
    assert table.A.to_numpy() == pytest.approx(8.0 * np.exp(-table.time), rel=1e-6)


def test_a_growing_place_dilutes_what_it_holds_and_loses_none_of_it():
    text = sbml({"c": 1.0}, {"A": {"initialAmount": 3.0}}, rates={"c": "0.5*c"})
    table = over_time(text)
    assert table.A.to_numpy() == pytest.approx(3.0 * np.exp(-0.5 * table.time), rel=1e-6)
    assert table.c.to_numpy() == pytest.approx(np.exp(0.5 * table.time), rel=1e-6)


def test_a_rate_rule_of_a_concentration_holds_in_a_growing_place():
    text = sbml({"c": 1.0}, {"A": {"initialConcentration": 1.0}}, rates={"A": "1", "c": "c"})
    table = over_time(text)
    assert table.A.to_numpy() == pytest.approx(1.0 + table.time.to_numpy(), rel=1e-6)


def test_a_boundary_species_is_read_by_a_law_and_not_used_up():
    told = {"initialAmount": 2.0, "boundaryCondition": True}
    species = {"S": told, "P": {"initialAmount": 0.0}}
    table = over_time(sbml(species=species, reactions=[("S", {"S": -1, "P": 1})]))
    assert table.S.to_numpy() == pytest.approx(2.0)
    assert table.P.to_numpy() == pytest.approx(2.0 * table.time.to_numpy(), rel=1e-6, abs=1e-12)


def test_a_conversion_factor_and_a_stoichiometry_that_a_rule_changes():
    species = {"A": {"initialAmount": 0.0, "conversionFactor": "f"}, "B": {"initialAmount": 0.0}}
    text = sbml(
        species=species,
        parameters={"f": 10.0},
        reactions=[("1", {"A": 1.0, "B": "n"})],
        assigned={"n": "2*time"},
    )
    text = re.sub('(id="f"[^>]*)constant="false"', r'\1constant="true"', text)
    table = over_time(text)
    assert table.A.to_numpy() == pytest.approx(10.0 * table.time.to_numpy(), abs=1e-6)
    assert table.B.to_numpy() == pytest.approx(table.time.to_numpy() ** 2, abs=1e-6)


def test_an_initial_assignment_may_use_what_another_one_says():
    text = sbml(
        parameters={"a": None, "b": None, "x": 0.0},
        initially={"a": "b + 1", "b": "2^3"},
        rates={"x": "a"},
    )
    assert over_time(text).x.iloc[-1] == pytest.approx(18.0, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("piecewise(1, time > 5, 2, time > 1, 3)", 2.0),
        ("max(1, 4, 3) - min(2, time)", 2.0),
        ("quotient(-7, 2)", -3.0),
        ("rem(-7, 2)", -1.0),
        ("xor(true, time > 1)", 0.0),
        ("piecewise(1, implies(time > 1, false), 0)", 0.0),
        ("log(exp(2)) + ln(exp(1))", 3.0),
        ("log10(1000)", 3.0),
        ("root(3, 27)", 3.0),
        ("factorial(4)", 24.0),
        ("arcsec(2)", np.arccos(0.5)),
        ("coth(1)", 1 / np.tanh(1)),
        ("ceil(1.2) + floor(-1.2) + abs(-3)", 3.0),
        ("rateOf(y)", 7.0),
        ("y*0 + avogadro/avogadro", 1.0),
    ],
)
def test_what_a_formula_may_hold(text, value):
    own = sbml(parameters={"y": 0.0, "z": 0.0}, rates={"y": "7"}, assigned={"z": text})
    assert over_time(own).z.iloc[-1] == pytest.approx(value)


def test_an_event_on_the_state_is_found_where_it_happens():
    text = sbml(
        parameters={"y": 0.0, "when": -1.0},
        rates={"y": "1"},
        events=[("y >= 1.234", {"when": "time", "y": "y - 1"})],
    )
    table = over_time(text)
    assert table.when.iloc[-1] == pytest.approx(1.234, abs=1e-9)
    assert table.y.iloc[-1] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("points", [2, 10, 101, 366])
@pytest.mark.parametrize("condition", ["time == due", "time >= due"])
def test_a_dose_at_a_time_is_given_on_every_grid(points, condition):
    text = sbml(
        parameters={"drug": 0.0, "due": 0.7, "given": 0.0},
        rates={"drug": "-drug"},
        events=[(condition, {"drug": "drug + 100", "due": "due + 1.3", "given": "given + 1"})],
    )
    table = over_time(text, 50.0, points)
    times = np.arange(0.7, 50.0, 1.3)
    assert table.given.iloc[-1] == times.size
    assert table.drug.iloc[-1] == pytest.approx(100.0 * np.exp(times - 50.0).sum(), rel=1e-6)


@pytest.mark.parametrize(("early", "value"), [(True, 1.0), (False, 1.5)])
def test_a_delayed_event_takes_its_values_when_it_is_told_to(early, value):
    text = sbml(
        parameters={"y": 0.0, "kept": 0.0},
        rates={"y": "1"},
        events=[("y >= 1", {"kept": "y"}, {"delay": "0.5", "early": early})],
    )
    table = over_time(text, points=4)
    assert table.kept.tolist() == pytest.approx([0, 0, 0, value], abs=1e-9)


@pytest.mark.parametrize(("persistent", "count"), [(True, 1.0), (False, 0.0)])
def test_only_a_persistent_event_outlives_its_condition(persistent, count):
    text = sbml(
        parameters={"y": 0.0, "n": 0.0},
        rates={"y": "1"},
        events=[
            ("(y > 0.5) && (y < 0.7)", {"n": "n + 1"}, {"delay": "1", "persistent": persistent})
        ],
    )
    assert over_time(text).n.iloc[-1] == count


def test_the_event_of_higher_priority_happens_first_and_may_undo_the_other():
    late = {"early": False}
    first = ("time >= 1", {"n": "n*10 + 1", "gate": "0"}, {"priority": "2", **late})
    losing = {"priority": "1", "persistent": False, **late}
    second = ("(time >= 1) && (gate > 0)", {"n": "n*10 + 2"}, losing)
    third = ("time >= 1", {"n": "n*10 + 3"}, {"priority": "0.5", **late})
    text = sbml(parameters={"n": 0.0, "gate": 1.0}, events=[third, second, first])
    assert over_time(text).n.iloc[-1] == 13.0


def test_events_of_equal_priority_take_turns_by_chance_and_a_seed_repeats_it():
    events = [("time >= 1", {"n": f"n*10 + {k}"}, {"priority": "1"}) for k in (1, 2, 3)]
    model = read_sbml(sbml(parameters={"n": 0.0}, events=events))
    ends = [simulate(model, 2.0, 3, seed=seed).n.iloc[-1] for seed in range(8)]
    assert len(set(ends)) > 1
    assert ends == [simulate(model, 2.0, 3, seed=seed).n.iloc[-1] for seed in range(8)]


def test_a_trigger_that_is_true_at_the_start_fires_only_if_it_counts_as_false_before():
    events = [("true", {own: "1"}, {"initial": own == "old"}) for own in ("new", "old")]
    table = over_time(sbml(parameters={"new": 0.0, "old": 0.0}, events=events))
    assert (table.new.iloc[-1], table.old.iloc[-1]) == (1.0, 0.0)


def test_an_event_that_changes_a_place_keeps_amounts():
    text = sbml(
        {"c": 1.0},
        {"A": {"initialAmount": 3.0}, "B": {"initialAmount": 3.0, "hasOnlySubstanceUnits": True}},
        events=[("time >= 1", {"c": "3"})],
    )
    last = over_time(text).iloc[-1]
    assert (last.A, last.B, last.c) == pytest.approx((1.0, 1.0, 3.0))


def test_a_dense_grid_shows_what_a_coarse_one_shows():
    text = sbml(parameters={"x": 1.0, "y": 0.0}, rates={"x": "y", "y": "-x"})
    fine = over_time(text, 20.0, 2001, accuracy=Accuracy(1e-9, 1e-11))
    assert fine.x.to_numpy() == pytest.approx(np.cos(fine.time), abs=1e-7)
    coarse = over_time(text, 20.0, 3, accuracy=Accuracy(1e-9, 1e-11))
    assert coarse.x.to_numpy() == pytest.approx(fine.x.to_numpy()[::1000], abs=1e-12)


def test_names_of_the_grammar_are_ids_like_others():
    text = sbml(parameters={"lambda": 1.0, "t": 2.0, "exp": 0.0}, rates={"exp": "lambda*t"})
    assert over_time(text).exp.iloc[-1] == pytest.approx(4.0)


def test_everything_that_is_not_carried_is_told_with_its_line():
    text = sbml(parameters={"a": 0.0, "b": 0.0, "k": 1.0}, rates={"a": "delay(b, 2)"}, reactions=[])
    text = text.replace(
        "</listOfRules>",
        '<algebraicRule><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>b</ci></math>'
        "</algebraicRule></listOfRules>",
    )
    with pytest.raises(InputError) as caught:
        read_sbml(text)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 2
    assert all("line " in text and "not carried" in text for text in told)


def test_a_text_that_is_no_model_is_refused():
    with pytest.raises(InputError):
        read_sbml("<sbml/>")


def test_numbers_that_fail_say_when():
    text = sbml(parameters={"y": 1.0}, rates={"y": "y^2"})
    with pytest.raises(NumericsError, match=r"last good time is (0\.99|1)"):
        over_time(text)


@pytest.fixture(scope="module")
def exported():
    return read_sbml(to_sbml(pc.load("endotoxemia")))


def test_an_exported_scenario_runs_as_it_does_here(exported, untreated):
    names = [quantity.name for quantity in exported.quantities if quantity.kind == "species"]
    table = simulate(exported, 720.0, 73)
    seen = untreated.states.value.isel(sample=0)
    assert table.time.to_numpy() == pytest.approx(seen.time.to_numpy())
    ids = [quantity.id for quantity in exported.quantities if quantity.kind == "species"]
    ours = seen.sel(species=names).to_numpy()[1:]
    theirs = table[ids].to_numpy()[1:]
    assert np.all(np.abs(ours - theirs) <= 1e-5 * np.abs(ours).max(axis=0) + 1e-12)


def test_a_scenario_with_a_tissue_is_not_exported():
    with pytest.raises(InputError, match="tissue in space"):
        to_sbml(pc.load("infection"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "decay.xml"
    text = sbml({"c": 4.0}, {"A": {"initialAmount": 8.0}}, {"k": 1.0}, [("k*A*c", {"A": -1})])
    path.write_text(text, "utf-8")
    return path


def polycrine(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["polycrine", "sbml", *map(str, arguments)])
    with pytest.raises(SystemExit) as exited:
        main()
    return exited.value.code or 0


def test_the_command_writes_rows_at_both_ends(file, monkeypatch):
    out = file.with_suffix(".csv")
    assert polycrine(monkeypatch, "run", file, "--end", 2, "--points", 5, "--out", out) == 0
    table = pd.read_csv(out)
    assert table.time.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert table.A.to_numpy() == pytest.approx(2.0 * np.exp(-table.time), rel=1e-6)


def test_the_command_says_everything_that_is_wrong_and_overwrites_nothing(
    file, monkeypatch, capsys
):
    wrong = ("--end", -1, "--points", 1, "--rtol", 2, "--out", file)
    assert polycrine(monkeypatch, "run", file, *wrong) == 2
    told = capsys.readouterr().err
    assert all(option in told for option in ("--end", "--points", "--rtol", "already there"))
    assert file.read_text("utf-8").startswith("<?xml")


def test_check_shows_names_and_ids(file, monkeypatch, capsys):
    assert polycrine(monkeypatch, "check", file, "--json") == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["A"]["kind"] == "species"
    assert rows["A"]["changes"] == "yes"


def test_a_file_that_is_not_there_is_told(tmp_path, monkeypatch, capsys):
    assert polycrine(monkeypatch, "check", tmp_path / "none.xml") == 2
    assert "no such file" in capsys.readouterr().err
