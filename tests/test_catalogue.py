import pytest

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import catalogue, describe, numbers_of
from polycrine.errors import InputError, UnitError
from polycrine.model.programs import load_cascade, load_program, program_names

PROGRAMS = program_names()


def every_number():
    yield from catalogue().numbers()
    for name in PROGRAMS:
        yield from numbers_of(load_program(name), name)
    yield from numbers_of(load_cascade("nf-kb"), "nf-kb")


def test_every_number_says_where_it_comes_from():
    for path, number in every_number():
        if number.origin in ("read", "second-hand"):
            assert number.source in catalogue().sources, path
        elif number.origin == "assumed":
            assert number.why, path
            assert number.has_range, path
        else:
            assert number.origin == "fitted", path
            assert number.fitted_to, path
            assert number.residual, path


def test_every_cited_source_is_in_the_bibliography():
    for path, number in every_number():
        assert number.source is None or number.source in catalogue().sources, path


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_hears_only_what_there_is(name):
    program = load_program(name)
    outputs = {out for cascade in program.cascades for out in load_cascade(cascade).outputs}
    inner = {key for key, product in program.products.items() if product.secretion is None}
    hearable = {*program.receptors, *program.signals, *inner, *outputs, *catalogue().molecules}
    hearable |= {"antigen"}  # a share between 0 and 1 that a model supplies
    heard = {
        key for signal in program.signals.values() for key in (*signal.heard, *signal.damped_by)
    }
    for product in program.products.values():
        heard |= {*product.induced_by, *product.repressed_by, *filter(None, [product.matured_by])}
    for carried in program.receptors.values():
        heard |= {*carried.repressed_by}
    assert heard | {*program.cascades.values()} <= hearable
    assert set(program.receptors) <= set(catalogue().receptors)
    assert {key for key in program.products if key not in inner} <= set(catalogue().molecules)


def test_every_source_is_cited():
    cited = {number.source for _, number in every_number()}
    assert set(catalogue().sources) <= cited


def test_at_most_eight_numbers_are_fitted():
    fitted = {
        path
        for name in PROGRAMS
        if name != "macrophage"  # the monocyte's numbers again
        for path, number in numbers_of(load_program(name), name)
        if number.origin == "fitted"
    }
    assert fitted == {
        "monocyte.products.TNF.secretion",
        "monocyte.products.IL10.secretion",
        "endothelium.products.IL6.secretion",
        "endothelium.products.CXCL8.secretion",
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("IL-1β", "IL1B"),
        ("interleukin 6", "IL6"),
        ("TNF-alpha", "TNF"),
        ("IL-1Ra", "IL1RN"),
        ("anakinra", "IL1RN"),
        ("IL-8", "CXCL8"),
        ("il10", "IL10"),
        ("C-reactive protein", "CRP"),
    ],
)
def test_names_people_write_are_found(name, key):
    assert catalogue().find(name) == key


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'IL6'"):
        catalogue().find("IL66")


def test_a_complex_holds_all_its_parts():
    held = catalogue().contents("IL6:sIL6R:sgp130")
    assert held == {"IL6": 1, "sIL6R": 1, "sgp130": 1}
    assert catalogue().active_form("TNF:sTNFR1").kda == pytest.approx(3 * 17.3 + 28)


def test_show_lists_the_numbers_of_a_molecule_and_of_its_receptors():
    paths = [row["number"] for row in describe(catalogue(), "TNF")["numbers"]]
    assert {"TNF.clearance", "TNFR1.binds.TNF.Kd", "TNF:sTNFR1.Kd"} <= set(paths)


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "read"},
        {"origin": "assumed", "why": "a guess"},
        {"origin": "fitted", "fitted to": "data"},
        {"origin": "assumed", "why": "a guess", "low": 2, "high": 3},
    ],
)
def test_a_number_without_its_backing_is_refused(fields):
    with pytest.raises(ValueError, match="needs|outside"):
        Number.model_validate({"value": 1, "unit": "min", **fields})


def test_unknown_is_a_value_of_its_own_and_cannot_be_used():
    with pytest.raises(UnitError, match="give your own"):
        Number(value="unknown", unit="nM").read("concentration")


def test_a_macrophage_is_a_monocyte_that_needs_a_danger_signal():
    macrophage, monocyte = load_program("macrophage"), load_program("monocyte")
    assert set(monocyte.products) < set(macrophage.products)
    assert macrophage.cascades == monocyte.cascades
    assert macrophage.signals["caspase-1"].basal.value < monocyte.signals["caspase-1"].basal.value


RESOLVED = {
    "IL-6": "IL6",
    "interleukin 6": "IL6",
    "il6": "IL6",
    "IL-1β": "IL1B",
    "IL-1 beta": "IL1B",
    "IL-1Ra": "IL1RN",
    "anakinra": "IL1RN",
    "TNF-α": "TNF",
    "TNFA": "TNF",
    "cachectin": "TNF",
    "IL-8": "CXCL8",
    "CXCL8": "CXCL8",
    "MCP-1": "CCL2",
    "G-CSF": "CSF3",
    "CSIF": "IL10",
    "IFN-γ": "IFNG",
    "ifn gamma": "IFNG",
    "TCGF": "IL2",
    "BSF-1": "IL4",
    "TGF-β1": "TGFB1",
}


@pytest.mark.parametrize(("name", "key"), RESOLVED.items())
def test_a_name_finds_its_molecule(name, key):
    assert catalogue().find(name) == key


@pytest.mark.parametrize("name", ["IL1RA", "IL-99", "interleukin", "", "NFKB1", "IL6R"])
def test_no_name_is_guessed(name):
    with pytest.raises(InputError):
        catalogue().find(name)


def test_every_subunit_and_chain_is_an_approved_gene():
    known = catalogue()
    made = {"LPS", "ATP", "cortisol"}  # not proteins
    assert {g for m in known.molecules.values() for g in m.subunits} <= {*known.genes} | made
    assert {g for r in known.receptors.values() for g in r.chains} <= {*known.genes}


def test_every_cell_type_has_its_own_id_and_descends_from_listed_ones():
    known = catalogue()
    assert len({cell.id for cell in known.cells.values()}) == len(known.cells)
    assert all({*cell.parents} <= {*known.cells} for cell in known.cells.values())
    ids = {cell.id for cell in known.cells.values()}
    assert {load_program(name).cell_ontology for name in PROGRAMS} <= ids


def test_kinds_of_a_leukocyte_are_leukocytes():
    known = catalogue()
    assert all(known.cells[name].leukocyte for name in known.kinds_of("leukocyte"))
    assert known.find_cell("Treg") == "regulatory T cell"
    assert "microglia" in known.kinds_of(known.find_cell("macrophage"))
