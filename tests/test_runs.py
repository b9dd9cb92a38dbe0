"""Bits, checkpoints, resuming, and what lies in a run's folder."""

import json

import numpy as np
import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.model.yamlfile import read_model
from polycrine.readouts.comparison import beside_measured
from polycrine.runs.run import Stopped, Watch
from polycrine.scenarios.library import DATA, measured


def states(run):
    return run.states.value.values


def test_one_thread_or_two_give_the_same_bits(monkeypatch):
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("POLYCRINE_THREADS", threads)
        found.append(states(pc.run(pc.load("endotoxemia"), "all", duration="4 h", seed=3)))
    assert np.array_equal(*found)


def test_an_arm_gives_the_same_bits_alone_and_among_others():
    model = pc.load("endotoxemia")
    alone = states(pc.run(model, "anti-TNF", duration="4 h"))
    together = pc.run(model, ["untreated", "anti-TNF"], duration="4 h")
    assert np.array_equal(alone[0], states(together)[1])


def test_six_hours_resumed_to_twelve_are_twelve_hours_bit_for_bit(tmp_path, untreated):
    first = pc.run(pc.load("endotoxemia"), duration="6 h", out=tmp_path / "six")
    longer = pc.resume(first.folder, "12 h", out=tmp_path / "twelve")
    assert np.array_equal(states(longer), states(untreated))
    assert longer.panel().equals(untreated.panel())
    assert json.loads((tmp_path / "twelve" / "run.json").read_text())["parent"] == "six"


def test_a_dose_at_the_moment_of_resuming_is_given_once(tmp_path):
    model = pc.load("endotoxemia", ["events.LPS.at=2 h"])
    whole = pc.run(model, duration="4 h")
    first = pc.run(model, duration="2 h", out=tmp_path / "two")
    assert np.array_equal(
        states(pc.resume(first.folder, "4 h", out=tmp_path / "four")), states(whole)
    )


def test_a_stopped_run_is_finished_in_place_with_the_same_bits(tmp_path, untreated):
    asked = iter([False, False, False, True])
    with pytest.raises(Stopped, match="polycrine resume"):
        pc.run(
            pc.load("endotoxemia"),
            duration="12 h",
            out=tmp_path / "run",
            watch=Watch(stopping=lambda: next(asked)),
        )
    partial = tmp_path / "run.partial"
    assert partial.is_dir()
    finished = pc.resume(partial)
    assert finished.folder == tmp_path / "run"
    assert not partial.exists()
    assert np.array_equal(states(finished), states(untreated))


@pytest.mark.parametrize("chunks", [1, 9])
def test_arms_that_stop_at_different_times_resume_with_the_same_bits(tmp_path, chunks):
    model = pc.load("endotoxemia", ["events.LPS.at=47 min", "arms.anti-TNF.TNF.at=53 min"])
    whole = pc.run(model, ["untreated", "anti-TNF"], duration="6 h")
    asked = iter([False] * (chunks - 1) + [True])
    with pytest.raises(Stopped):
        pc.run(
            model,
            ["untreated", "anti-TNF"],
            duration="6 h",
            out=tmp_path / "run",
            watch=Watch(stopping=lambda: next(asked)),
        )
    assert np.array_equal(states(pc.resume(tmp_path / "run.partial")), states(whole))


def test_a_run_is_read_back_as_it_was_written(tmp_path, untreated):
    pc.run(pc.load("endotoxemia"), duration="12 h", out=tmp_path / "run")
    read = pc.load_run(tmp_path / "run")
    assert np.array_equal(states(read), states(untreated))
    assert list(read.panel().columns) == [
        "sample",
        "time_h",
        "place",
        "analyte",
        "value",
        "unit",
        "flag",
    ]
    assert read.panel().value.to_numpy() == pytest.approx(
        untreated.panel().value.to_numpy(), rel=1e-8
    )
    assert read.info["status"] == "done"
    names = {entry.name for entry in (tmp_path / "run").iterdir()}
    assert names == {
        "run.json",
        "model.resolved.yaml",
        "panel.csv",
        "reads.csv",
        "ledger.csv",
        "numbers.csv",
        "states.zarr",
        "checkpoints",
        "figures",
        "log.jsonl",
    }


def test_a_place_may_have_any_name(tmp_path):
    text = (DATA / "whole-blood.yaml").read_text("utf-8").replace("well", "blue-top tube")
    named = pc.run(read_model(text, "tube.yaml"), duration="2 h").panel()
    plain = pc.run(pc.load("whole-blood"), duration="2 h").panel()
    assert set(named.place) == {"blue-top tube"}
    assert named.value.to_numpy() == pytest.approx(plain.value.to_numpy(), rel=1e-9)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="already there"):
        pc.run(pc.load("endotoxemia"), duration="1 h", out=tmp_path / "run")


def test_carrying_on_overwrites_nothing_either(tmp_path):
    first = pc.run(pc.load("whole-blood"), duration="1 h", out=tmp_path / "one")
    with pytest.raises(InputError, match="already there"):
        pc.resume(first.folder, "2 h", out=tmp_path / "one")


def test_a_run_ends_at_an_observation():
    with pytest.raises(InputError, match="Write '60 min'"):
        pc.run(pc.load("endotoxemia"), duration="61 min")


def test_a_finished_run_needs_a_longer_duration_to_go_on(tmp_path):
    pc.run(pc.load("endotoxemia"), duration="1 h", out=tmp_path / "run")
    with pytest.raises(InputError, match="longer duration than 1 h"):
        pc.resume(tmp_path / "run")
    with pytest.raises(InputError, match="no checkpoint"):
        pc.resume(tmp_path)


def test_a_number_of_the_author_replaces_the_catalogues_and_is_marked():
    settings = [
        "numbers.IL6.clearance=1 L/min",
        "numbers.monocyte.products.TNF.secretion=9 molecules/s",
    ]
    numbers = pc.run(pc.load("endotoxemia", settings), duration="1 h").numbers().set_index("path")
    assert numbers.origin["IL6.clearance"] == "author"
    assert numbers.value["IL6.clearance"] == 1
    assert numbers.origin["IL10.clearance"] == "read"


def test_panels_of_two_places_are_kept_apart():
    model = pc.load("endotoxemia")
    wish = model.observe[0].model_copy(update={"panel": "liver"})
    run = pc.run(model.model_copy(update={"observe": (*model.observe, wish)}), duration="6 h")
    table = beside_measured(run.panel(), measured("endotoxemia-bolus")).set_index(
        ["place", "analyte"]
    )
    assert table.peak["liver", "IL6"] < 0.9 * table.peak["blood", "IL6"]
    assert table.ratio.dropna().index.unique("place").tolist() == ["blood"]


def test_levels_below_the_detection_limit_are_flagged(untreated):
    table = untreated.panel()
    assert (table[(table.analyte == "IL1B") & (table.time_h == 0)].flag == "below").all()
    assert (table[(table.analyte == "TNF") & (table.time_h == 1.5)].flag == "").all()


def test_a_macrophage_releases_IL1beta_when_ATP_comes(tmp_path):
    from polycrine.model.yamlfile import read_model
    from polycrine.scenarios.library import template

    table = pc.run(read_model(template(), "template.yaml")).panel()
    level = table[table.analyte == "IL1B"].set_index("time_h").value
    assert level.loc[4] > 10 * level.loc[3]


def test_the_public_names_are_these():
    names = ["Model", "Run", "Sweep", "load", "load_plan", "load_run", "load_sweep", "resume"]
    assert pc.__all__ == [*names, "run", "sweep"]
    assert all(callable(getattr(pc, name)) for name in pc.__all__)
