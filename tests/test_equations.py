"""A published model in SBML inside cells: stirred, and in every cell of a tissue."""

import numpy as np
import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.model.programs import equations_file, load_program
from polycrine.model.yamlfile import read_model
from polycrine.network.sbml import read_sbml
from polycrine.runs.sbml import Accuracy, simulate

pytest.importorskip("libsbml")

WELL = """
polycrine: 1
name: cells in a well
places: {{well: {{kind: stirred, volume: 1 mL}}}}
cytokines: [IL13]
cells: {{cell: {{in: well, count: {count}, program: {program}}}}}
events: [{{give: IL13, concentration: 4 ng/mL, into: well}}]
observe: [{{panel: well, every: 10 min}}, {{read: pSTAT5, in: cell, every: 10 min}},
  {{read: SOCS3, in: cell, every: 10 min}}]
run: {{for: 2 h, settle: 1 ns, relative tolerance: 1e-8, absolute tolerance: 1e-10}}
"""


def well(count="1", program="lymphoma B cell"):
    return pc.run(read_model(WELL.format(count=count, program=program), "well.yaml"))


def alone(level):
    text = equations_file("il13.xml").replace('(ng/mL)" value="0"', f'(ng/mL)" value="{level}"')
    return simulate(read_sbml(text), 120.0, 13, Accuracy(1e-9, 1e-11))


def seen(run, name):
    return run.reads().query("species == @name").value.to_numpy()


def test_one_cell_in_a_well_follows_the_file_as_it_stands():
    run, file = well(), alone(4)
    for name in ("pSTAT5", "SOCS3"):
        np.testing.assert_allclose(seen(run, name), file[name], rtol=2e-5, atol=1e-3)


def test_published_numbers_of_the_model():
    """Two hours after 1 ng/mL: what BIOMD0000000313 gives."""
    end = alone(1).iloc[-1]
    assert end.pSTAT5 == pytest.approx(31.4576815, rel=1e-6)
    assert end.CD274mRNA == pytest.approx(0.2902935433, rel=1e-6)


def test_cells_take_up_what_their_receptors_bind_and_the_ledger_closes():
    run = well(count="1e6")
    ledger = run.ledger().set_index("process").pmol
    taken = -ledger["taken up by cell"]
    bound = alone(4).set_index("time")
    gone = (114.494 + 0.34) - bound[["Rec", "Rec_i", "DecoyR"]].loc[120.0].sum()  # thousands
    assert taken == pytest.approx(1e6 * 1000 * gone / 6.02214076e11, rel=0.02)
    assert abs(ledger["error"]) < 1e-10 * ledger["given"]


def test_every_cell_of_a_tissue_runs_it():
    model = pc.load("lymphoma", ["run.for=60 min"])
    run = pc.run(model)
    steady = alone(4)
    share = seen(run, "pSTAT5")[-1] / np.interp(60, steady.time, steady.pSTAT5)
    assert 0.93 < share < 1.0  # a little IL-13 is taken up on its way in
    ledger = run.ledger()
    assert ledger[ledger.process == "error"].share.max() < 1e-9
    assert run.ledger().query("process == 'taken up by B cell'").pmol.iloc[0] < 0


def test_a_program_of_ones_own_names_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.xml").write_text(equations_file("il13.xml"))
    (tmp_path / "mine.yaml").write_text(
        "program: mine\nabout: mine\nequations:\n  file: mine.xml\n  time: 1 min\n"
        "  hears: {IL13: {of: IL13, unit: ng/mL}}\n  shows: [pSTAT5, SOCS3]\n"
    )
    run, file = well(program="mine.yaml"), alone(4)
    np.testing.assert_allclose(seen(run, "pSTAT5"), file.pSTAT5, rtol=2e-5, atol=1e-3)
    origins = run.numbers().query("path.str.startswith('mine')").origin
    assert set(origins) == {"author"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("IL13: {of", "IL31: {of"), "'IL31' is no constant of mine.xml. Did you mean 'IL13'"),
        (("SOCS3]", "SOCS3, pJAK3]"), "'pJAK3' is no symbol of mine.xml. Did you mean 'pJAK2'"),
        (("of: IL13", "of: IL-13"), "'IL-13' is no molecule. Did you mean 'IL13'"),
        (("mine.xml", "nowhere.xml"), "there is no such file"),
    ],
)
def test_ports_that_the_file_does_not_have_are_refused(tmp_path, monkeypatch, changed, told):
    monkeypatch.chdir(tmp_path)
    load_program.cache_clear()
    (tmp_path / "mine.xml").write_text(equations_file("il13.xml"))
    text = (
        "program: mine\nabout: mine\nequations:\n  file: mine.xml\n  time: 1 min\n"
        "  hears: {IL13: {of: IL13, unit: ng/mL}}\n  shows: [pSTAT5, SOCS3]\n"
    )
    (tmp_path / "mine.yaml").write_text(text.replace(*changed))
    with pytest.raises(InputError, match=told):
        well(program="mine.yaml")
