"""Cells whose number changes in a stirred place, against what can be solved by hand."""

import numpy as np
import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.model.yamlfile import read_model
from polycrine.network.sbml import read_sbml
from polycrine.runs.export import to_sbml
from polycrine.runs.sbml import Accuracy, simulate
from polycrine.scenarios.library import load

DIVIDING = """
program: dividing cell
about: "Divides all the time and takes up TNF."
receptors:
  TNFR1: {per cell: {value: 1000, low: 1, high: 2000, unit: molecules, origin: assumed, why: test}}
divides: {half time: {value: 10, low: 1, high: 20, unit: h, origin: assumed, why: test}}
dies: {half time: {value: 30, low: 1, high: 50, unit: h, origin: assumed, why: test}}
"""
CHANGING = """
program: changing cell
about: "Becomes another."
becomes:
  OTHER: {half time: {value: 10, low: 1, high: 20, unit: h, origin: assumed, why: test}}
"""
RESTING = """
program: resting cell
about: "Does nothing."
"""
MODEL = """
polycrine: 1
name: test
places: {{well: {{kind: stirred, volume: 1 mL}}}}
cytokines: [TNF]
cells: {cells}
{more}
observe:
{counts}
  - {{panel: well, every: 1 h}}
run: {{for: 40 h}}
"""


def _run(tmp_path, programs, cells, more="", arm=None):
    for name, text in programs.items():
        for other in programs:
            text = text.replace(other.upper(), str(tmp_path / f"{other}.yaml"))
        (tmp_path / f"{name}.yaml").write_text(text)
    inner = ", ".join(
        f"{name}: {{in: well, count: {count}, program: {tmp_path / name}.yaml}}"
        for name, count in cells.items()
    )
    counts = "\n".join(f"  - {{count: {name}, every: 1 h}}" for name in cells)
    text = MODEL.format(cells="{" + inner + "}", more=more, counts=counts)
    return pc.run(read_model(text, "test.yaml"), arm)


def _count(run, cell):
    reads = run.reads()
    return reads[(reads.cell == cell) & (reads.species == "count")].value.to_numpy()


def test_dividing_and_dying_cells_grow_exponentially(tmp_path):
    run = _run(tmp_path, {"dividing": DIVIDING}, {"dividing": 1000})
    hours = np.arange(41)
    expected = 1000 * 2 ** (hours / 10 - hours / 30)
    assert _count(run, "dividing") == pytest.approx(expected, rel=1e-5)


def test_cells_that_become_others_are_not_lost(tmp_path):
    programs = {"changing": CHANGING, "other": RESTING}
    run = _run(tmp_path, programs, {"changing": 1000, "other": 0})
    left, new = _count(run, "changing"), _count(run, "other")
    assert left == pytest.approx(1000 * 2 ** (-np.arange(41) / 10), rel=1e-5)
    assert left + new == pytest.approx(1000, rel=1e-9)


def test_molecules_on_cells_that_divide_and_die_stay_in_the_books(tmp_path):
    more = "events: [{give: TNF, concentration: 100 pM}]"
    run = _run(tmp_path, {"dividing": DIVIDING}, {"dividing": 1e8}, more)
    books = run.ledger().set_index("process").pmol
    assert books["lost with cells that died"] < 0
    assert books["taken up by dividing"] < 0
    assert abs(books["error"]) < 1e-8 * books["given"]


def test_more_cells_take_up_more(tmp_path):
    more = "events: [{give: TNF, concentration: 1 pM}]"
    growing = _run(tmp_path, {"dividing": DIVIDING}, {"dividing": 1e7}, more)
    resting = DIVIDING.partition("divides")[0]
    still = _run(tmp_path, {"resting": resting}, {"resting": 1e7}, more)
    ends = [run.panel().value.iloc[-1] for run in (growing, still)]
    assert ends[0] < 0.9 * ends[1]


def test_an_injury_tears_its_share_of_the_cells(tmp_path):
    spilling = RESTING + "spills: {TNF: {value: 600, low: 1, high: 900, unit: molecules, "
    spilling += "origin: assumed, why: test}}\n"
    more = "events: [{injure: well, share: 0.25, at: 5 h}]"
    run = _run(tmp_path, {"torn": spilling}, {"torn": 4e8}, more)
    count = _count(run, "torn")
    assert count[:6] == pytest.approx(4e8)
    assert count[6:] == pytest.approx(3e8, rel=1e-6)
    books = run.ledger().set_index("process").pmol
    assert books["spilled by torn cells"] == pytest.approx(1e8 * 600 / 6.02214076e11, rel=1e-5)
    assert abs(books["error"]) < 1e-12


def test_wrong_fates_are_told_all_at_once(tmp_path):
    wrong = DIVIDING.replace("test}}\ndies", "test}, by: [TNFR]}\ndies")
    wrong += "becomes: {other cell: {share: {value: 0.1, low: 0, high: 1, unit: '', "
    wrong += "origin: assumed, why: test}, unless: [hunger]}}\n"
    with pytest.raises(InputError) as caught:
        _run(tmp_path, {"dividing": wrong}, {"dividing": 10})
    told = str(caught.value)
    assert "'TNFR', by which" in told
    assert "'hunger', unless which" in told


@pytest.fixture(scope="module")
def help_run():
    return pc.run(load("b-cell-help"), "all", duration="10 d")


def _cells(run, arm, cell):
    reads = run.reads()
    rows = reads[(reads["sample"] == arm) & (reads.cell == cell) & (reads.species == "count")]
    return rows.value.to_numpy()


def test_without_cd40l_nothing_is_bound_and_no_cell_switches(help_run):
    reads = help_run.reads()
    bound = reads[(reads.species == "CD40 bound") & (reads["sample"] == "without CD40L")]
    assert (bound.value == 0).all()
    assert (_cells(help_run, "without CD40L", "switched B cell") == 0).all()
    assert _cells(help_run, "untreated", "switched B cell")[-1] > 1e5


def test_b_cells_share_the_ligands_of_the_t_cells_that_touch_them(help_run):
    """No more CD40 is engaged than there are ligands on T cells, however many B cells ask."""
    reads = help_run.reads().query("sample == 'untreated'")
    helpers = sum(
        _cells(help_run, "untreated", c) for c in ("T follicular helper cell", "Th2 cell")
    )
    asking = _cells(help_run, "untreated", "switched B cell")
    bound = reads[reads.species == "CD40 bound"].value.to_numpy() * asking
    assert (bound <= 3000 * helpers * (1 + 1e-6)).all()
    assert bound.max() > 0


def test_cells_that_change_in_number_are_the_same_in_sbml(tmp_path):
    pytest.importorskip("libsbml")
    more = "events: [{give: TNF, concentration: 100 pM}]"
    run = _run(tmp_path, {"dividing": DIVIDING}, {"dividing": 1e8}, more)
    text = to_sbml(read_model(run.model_text, "model.yaml"), None)
    again = simulate(read_sbml(text), 2400.0, 41, Accuracy(1e-9, 1e-11))
    assert again.dividing_count.to_numpy() == pytest.approx(_count(run, "dividing"), rel=1e-5)
    bound = again.dividing_TNFR1_TNF.to_numpy()
    column = list(run.states.species.values).index("dividing.TNFR1_TNF")
    assert bound == pytest.approx(run.states.value.values[0, :, column], rel=1e-4, abs=1e-6)
