"""Runs with a tissue: the stirred limit, bits, kills, books, and what is refused."""

import shutil

import numpy as np
import pytest

import polycrine as pc
from polycrine.engine.stirred import Tolerances, run_stops
from polycrine.errors import InputError
from polycrine.model.yamlfile import read_model
from polycrine.network.network import identifier
from polycrine.network.schedule import make_schedule
from polycrine.runs.run import Stopped, Watch, prepare, resume

SMALL = """\
polycrine: 1
name: small
body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}
places:
  lung: {kind: tissue, of: lung, size: [80 um, 60 um, 40 um], voxel: 20 um, represents: 300 mL}
  blood: {kind: stirred, volume: plasma}
links:
  - {between: [lung, blood], barrier: endothelium, surface: 6 m^2}
cytokines: [TNF, IL1B, CXCL8, IL10]
mediators: [LPS, LBP, sTNFR1]
cells:
  alveolar macrophage: {in: lung, count: 3, program: alveolar macrophage}
  epithelium: {in: lung, count: 4, program: epithelium}
  endothelium of the lung: {in: lung, count: 3, program: endothelium}
  neutrophil: {in: blood, program: neutrophil, enters: lung}
  monocyte: {in: blood, program: monocyte}
events:
  - {give: LPS, dose: 2 ng/kg, at: 0 h}
  - {infect: lung, with: bacteria, count: 5, at: 10 min}
arms:
  quiet: [{without: infection}, {without: entry, of: neutrophil}]
observe:
  - {panel: blood, every: 10 min}
  - {panel: lung, every: 10 min}
  - {count: neutrophil in lung, every: 10 min}
  - {picture: lung, every: 30 min}
run: {for: 2 h, seed: 3, steps: {longest: 2 min}}
"""


def small(*settings):
    return read_model(SMALL, "small.yaml", settings)


def seen(run):
    """Everything that a run keeps, as arrays."""
    tables = [run.tables[name].select_dtypes("number").to_numpy() for name in sorted(run.tables)]
    return [run.states.value.values, run.tissue.field.values, run.tissue.cell_x.values, *tables]


def same(first, second):
    pairs = zip(seen(first), seen(second), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.fixture(scope="module")
def undisturbed():
    return pc.run(small())


def test_with_fast_diffusion_a_tissue_is_a_stirred_place():
    model = small(
        "numbers.lung.hindrance=1000",
        "numbers.endothelium.opened_by.TNF.fold=1",
        "run.steps.longest=0.5 min",
    ).with_arm("quiet")
    run = pc.run(model)
    stirred = prepare(model, ["untreated"], Watch())
    member = stirred.members["untreated"]
    stops = make_schedule(model, stirred.network, None, 120.0)
    scales = stirred.network.scales
    run_stops(stirred.code, [member], [stops], scales, Tolerances(), 120.0)
    for name in ("TNF", "CXCL8", "LPS:LBP", "sTNFR1"):
        k = stirred.network.index(f"lung.{identifier(name)}")
        expected = np.array(member.states)[:, k]
        found = run.states.value.values[0, :, k]
        assert np.abs(found - expected).max() < 0.01 * expected.max(), name


def test_the_books_of_body_and_tissue_close(undisturbed):
    ledger = undisturbed.ledger()
    assert ledger[ledger.process == "error"].share.max() < 1e-9


def test_what_senders_are_said_to_give_adds_up_to_what_was_taken_up(undisturbed):
    routes = undisturbed.routes()
    last = routes[routes.time_h == routes.time_h.max()]
    ledger = undisturbed.ledger()
    for (molecule, receiver), rows in last.groupby(["molecule", "receiver"]):
        taken = ledger[
            (ledger.molecule == molecule) & (ledger.process == f"taken up by {receiver}")
        ]
        if receiver != "blood" and len(taken) and abs(taken.pmol.iloc[0]) > 1e-6:
            assert rows.pmol.sum() == pytest.approx(-taken.pmol.iloc[0], rel=1e-6)


def test_a_tissue_run_has_the_same_bits_on_one_thread_and_on_two(undisturbed, monkeypatch):
    monkeypatch.setenv("POLYCRINE_THREADS", "1")
    assert same(pc.run(small()), undisturbed)


def test_another_seed_puts_cells_elsewhere(undisturbed):
    other = pc.run(small(), seed=4)
    assert not np.array_equal(other.tissue.cell_x.values, undisturbed.tissue.cell_x.values)


def test_a_tissue_run_that_is_asked_to_stop_goes_on_with_the_same_bits(tmp_path, undisturbed):
    asked = iter([False] * 30 + [True])
    with pytest.raises(Stopped):
        pc.run(small(), out=tmp_path / "run", watch=Watch(stopping=lambda: next(asked)))
    assert same(resume(tmp_path / "run.partial"), undisturbed)


def test_a_killed_tissue_run_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path, undisturbed):
    """A copy of the folder, taken while the run writes it, is what a kill leaves behind."""
    copies = iter(range(100))

    def copy(share, text):
        if (tmp_path / "run.partial").is_dir() and next(copies) == 40:
            shutil.copytree(tmp_path / "run.partial", tmp_path / "killed.partial")

    pc.run(small(), out=tmp_path / "run", watch=Watch(report=copy))
    assert same(resume(tmp_path / "killed.partial"), undisturbed)


def test_two_hours_resumed_to_three_are_three_hours(tmp_path):
    first = pc.run(small(), out=tmp_path / "two")
    longer = pc.resume(first.folder, "3 h", out=tmp_path / "three")
    assert same(longer, pc.run(small(), duration="3 h"))


def test_cells_stand_where_the_model_puts_them():
    text = SMALL.replace("count: 4", "at: [[10 um, 20 um, 30 um], [79 um, 1 um, 39 um]]")
    run = pc.run(read_model(text, "small.yaml"), duration="30 min")
    cells = run.tissue
    own = (cells.cell_kind.values == 1) & (cells.cell_frame.values == 0)
    found = np.column_stack([cells[f"cell_{axis}"].values[own] for axis in "xyz"])
    assert found.tolist() == [[10, 20, 30], [79, 1, 39]]


def test_stored_fields_are_opened_only_when_they_are_used(tmp_path, undisturbed):
    pc.run(small(), out=tmp_path / "run")
    stored = pc.load_run(tmp_path / "run").tissue
    assert stored.field.chunks is not None or not stored.field.variable._in_memory
    assert np.array_equal(stored.field.values, undisturbed.tissue.field.values)


REFUSED = {
    "a voxel larger than the tissue": ("voxel: 20 um", "voxel: 50 um", "larger than the tissue"),
    "a grid that fits in no memory": (
        "size: [80 um, 60 um, 40 um]",
        "size: [8 cm, 6 cm, 4 mm]",
        "would need about",
    ),
    "a voxel too fine for a cell": ("voxel: 20 um", "voxel: 5 um", "too fine"),
    "a size that is no whole number of voxels": ("80 um, 60 um", "75 um, 60 um", "whole number"),
    "an unknown tissue": ("of: lung", "of: lungs", "Did you mean 'lung'"),
    "an unknown barrier": ("barrier: endothelium", "barrier: endothel", "Did you mean"),
    "a flow into a tissue": ("barrier: endothelium, surface: 6 m^2", "flow: 1 L/min", "barrier"),
    "cells that cannot be in a tissue": (
        "count: 3, program: endothelium",
        "count: 3, program: hepatocyte",
        "has no radius",
    ),
    "how many cells": ("in: lung, count: 4,", "in: lung,", "is not known"),
    "an unknown pathogen": ("with: bacteria", "with: bacterium", "Did you mean 'bacteria'"),
    "a part of a minute": ("at: 10 min", "at: 10.5 min", "no whole minute"),
    "entry of cells that do not enter": ("of: neutrophil}", "of: monocyte}", "enters a tissue"),
    "a cell outside the tissue": (
        "in: lung, count: 4,",
        "in: lung, at: [[10 um, 10 um, 50 um]],",
        "lies outside the tissue",
    ),
    "a step limit of zero": ("longest: 2 min", "longest: 0 min", "above zero"),
    "a step that is no power of two": ("longest: 2 min", "longest: 3 min", "no power of two"),
    "a picture of the blood": ("picture: lung", "picture: blood", "no tissue of this model"),
    "a piece larger than what it represents": ("300 mL", "0.1 nL", "smaller than the piece"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_tissue_that_cannot_run_is_refused_with_a_sentence(name):
    old, new, says = REFUSED[name]
    assert old in SMALL
    with pytest.raises(InputError, match=says):
        read_model(SMALL.replace(old, new, 1), "small.yaml")


EXPLANT = """\
polycrine: 1
name: explant
places:
  slice: {kind: tissue, of: lung, size: [80 um, 80 um, 40 um], voxel: 20 um, represents: 1 uL, faces: open}
  medium: {kind: stirred, volume: 1 mL}
links:
  - {between: [slice, medium]}
cytokines: [TNF, CXCL8]
mediators: [LPS, LBP]
cells:
  macrophage: {in: slice, count: 2, program: alveolar macrophage}
events:
  - {give: LBP, concentration: 10 nM, into: medium, at: 0 h}
  - {give: LPS, concentration: 10 ng/mL, into: medium, at: 0 h}
observe:
  - {panel: medium, every: 10 min}
  - {panel: slice, every: 10 min}
run: {for: 2 h}
"""  # noqa: E501


def test_an_explant_with_open_faces_shares_its_medium():
    run = pc.run(read_model(EXPLANT, "explant.yaml"))
    panel = run.panel()
    level = {
        key: group.value.iloc[-1] for key, group in panel.groupby(["analyte", "place"], sort=False)
    }
    assert level["LPS", "slice"] == pytest.approx(level["LPS", "medium"], rel=0.02)
    assert level["TNF", "slice"] > 1.02 * level["TNF", "medium"] > 0
    assert run.ledger()[run.ledger().process == "error"].share.max() < 1e-9
