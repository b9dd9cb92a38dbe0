"""Signals between cells that touch, in a tissue: heard by neighbours, and by nobody else."""

import numpy as np
import pytest

import polycrine as pc
from polycrine.model.yamlfile import read_model

SHOWING = """
program: showing cell
about: "Shows CD40L."
presents: {CD40LG: {value: 1000, low: 1, high: 2000, unit: molecules, origin: assumed, why: test}}
radius: {value: 5, low: 4, high: 6, unit: um, origin: assumed, why: test}
"""
HEARING = """
program: hearing cell
about: "Carries CD40."
receptors:
  CD40: {per cell: {value: 20000, low: 1, high: 30000, unit: molecules, origin: assumed, why: test}}
radius: {value: 5, low: 4, high: 6, unit: um, origin: assumed, why: test}
"""
MODEL = """
polycrine: 1
name: touch
places:
  piece: {{kind: tissue, of: lymphoma, size: [60 um, 20 um, 20 um], voxel: 10 um, represents: 1 mL}}
  medium: {{kind: stirred, volume: 10 mL}}
links: [{{between: [piece, medium], barrier: endothelium, surface: 1 cm^2}}]
cytokines: [TNF]
cells:
  giver: {{in: piece, program: {folder}/showing.yaml, at: [[10 um, 10 um, 10 um]]}}
  near: {{in: piece, program: {folder}/hearing.yaml, at: {near}}}
  far: {{in: piece, program: {folder}/hearing.yaml, at: [[50 um, 10 um, 10 um]]}}
arms: {{without: [{{knock out: CD40LG}}], blocked: [{{block: CD40}}]}}
observe:
  - {{read: CD40 bound, in: near, every: 20 min}}
  - {{read: CD40 bound, in: far, every: 20 min}}
  - {{picture: piece, every: 1 h}}
run: {{for: 4 h}}
"""


PAIRS = {
    "CD40LG": "CD40",
    "TNF": "TNFR2",  # in the membrane
    "IL15": "IL2R-intermediate",  # held by IL15RA of the cell that shows it
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("touch")
    (folder / "showing.yaml").write_text(SHOWING)
    (folder / "hearing.yaml").write_text(HEARING)
    return folder


def _run(folder, near="[[20 um, 10 um, 10 um]]", arm=None):
    return pc.run(read_model(MODEL.format(folder=folder, near=near), "touch.yaml"), arm)


def _bound(run, cell, arm="untreated"):
    reads = run.reads()
    return reads[(reads.cell == cell) & (reads["sample"] == arm)].value.to_numpy()


@pytest.fixture(scope="module")
def run(folder):
    return _run(folder, arm="all")


def test_only_the_cell_that_touches_hears_and_no_more_than_there_is(run):
    assert (_bound(run, "far") == 0).all()
    assert _bound(run, "near")[-1] > 900
    assert (_bound(run, "near") <= 1000 * (1 + 1e-6)).all()


def test_nothing_is_heard_without_the_ligand_or_with_its_receptor_blocked(run):
    assert (_bound(run, "near", "without") == 0).all()
    assert (_bound(run, "near", "blocked") == 0).all()


def test_two_cells_that_touch_share_the_ligands(folder, run):
    two = _run(folder, near="[[20 um, 10 um, 10 um], [10 um, 10 um, 19 um]]")
    each, alone = _bound(two, "near")[-1], _bound(run, "near")[-1]
    assert each == pytest.approx(alone / 2, rel=0.05)


def test_a_cell_that_shows_and_hears_does_not_touch_itself(folder):
    receptors = HEARING[HEARING.index("receptors:") : HEARING.index("radius:")]
    (folder / "both.yaml").write_text(SHOWING.replace("radius:", receptors + "radius:"))
    text = MODEL.replace("{folder}/hearing.yaml", "{folder}/both.yaml")
    text = text.replace(
        "{folder}/showing.yaml, at: [[10 um, 10 um, 10 um]]",
        "{folder}/showing.yaml, at: [[10 um, 10 um, 2 um]]",
    )
    pair = "[[30 um, 10 um, 18 um], [30 um, 18 um, 18 um]]"
    run = pc.run(read_model(text.format(folder=folder, near=pair), "touch.yaml"))
    assert _bound(run, "near")[-1] > 0  # each hears the other
    assert _bound(run, "far")[-1] == 0  # nobody is there to be heard


def test_touch_is_a_route_of_its_own_with_sender_and_receiver(run):
    routes = run.routes().query("sample == 'untreated' and route == 'juxtacrine'")
    assert set(zip(routes.molecule, routes.sender, routes.receiver, strict=True)) == {
        ("CD40LG", "giver", "near")
    }
    taken = routes.pmol.to_numpy()
    assert (np.diff(taken) > 0).all()
    bound = _bound(run, "near")
    pieces = 1e12 / (60 * 20 * 20)
    inside = 0.01 * np.trapezoid(bound, dx=20.0) * pieces / 6.02214076e11  # 1 % a minute
    assert taken[-1] == pytest.approx(inside, rel=0.05)


@pytest.mark.parametrize(("ligand", "receptor"), PAIRS.items())
def test_each_known_ligand_on_cells_is_heard_by_its_receptor(tmp_path, ligand, receptor):
    (tmp_path / "showing.yaml").write_text(SHOWING.replace("CD40LG", ligand))
    (tmp_path / "hearing.yaml").write_text(HEARING.replace("CD40:", f"{receptor}:"))
    text = MODEL.format(folder=tmp_path, near="[[20 um, 10 um, 10 um]]")
    text = text.replace("CD40 bound", f"{receptor} bound").replace("CD40LG", ligand)
    text = text.replace("block: CD40", f"block: {receptor}").replace("[TNF]", "[IL10]")
    run = pc.run(read_model(text, "touch.yaml"))
    assert _bound(run, "near")[-1] > 100
    assert (_bound(run, "far") == 0).all()
