import dataclasses
import re

import pandas as pd
import pytest

from polycrine.catalogue import check, comparison, questions
from polycrine.catalogue.entries import Maker, Number, Report
from polycrine.catalogue.export import write_csv, write_gml
from polycrine.catalogue.library import catalogue, numbers_of
from polycrine.catalogue.printed import converted, read_printed
from polycrine.errors import InputError, UnitError
from polycrine.model.programs import load_cascade, load_program, program_names
from polycrine.network.reach import reach
from polycrine.scenarios.library import load, scenario_names

PROGRAMS = program_names()


def every_number():
    yield from catalogue().numbers()
    for name in PROGRAMS:
        yield from numbers_of(load_program(name), name)
    for name in ("nf-kb", "glucose-insulin"):
        yield from numbers_of(load_cascade(name), name)


def test_every_number_says_where_it_comes_from():
    for path, number in every_number():
        if number.value == "unknown":
            continue
        if number.origin in ("read", "second-hand"):
            assert catalogue().cited(number.source), path
        elif number.origin == "assumed":
            assert number.why, path
            assert number.has_range, path
        else:
            assert number.origin == "fitted", path
            assert number.fitted_to, path
            assert number.residual, path


def test_every_cited_source_is_in_the_bibliography():
    for path, number in every_number():
        assert number.source is None or catalogue().cited(number.source), path


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_hears_only_what_there_is(name):
    program = load_program(name)
    outputs = {out for cascade in program.cascades for out in load_cascade(cascade).outputs}
    inner = {key for key, product in program.products.items() if product.secretion is None}
    hearable = {*program.receptors, *program.signals, *inner, *outputs, *catalogue().molecules}
    hearable |= {*catalogue().assemblies}
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
    used = {number.source for _, number in every_number()}
    used |= {one.source for name in scenario_names() for one in load(name).expect}
    assert set(catalogue().sources) <= used | {key for _, key in check.citations(catalogue())}


def test_nothing_in_the_catalogue_is_wrong():
    assert check.problems(catalogue()) == []


def test_a_wrong_name_is_told_with_its_place_and_the_nearest():
    known = catalogue()
    maker = Maker(cell="macrofage", source=("nobody-1999",))
    tnf = known.molecules["TNF"].model_copy(update={"made_by": (maker,)})
    wrong = dataclasses.replace(known, molecules=known.molecules | {"TNF": tnf})
    (problem,) = check.problems(wrong)
    assert problem.place == "TNF.made_by.0"
    assert "no cell type is called 'macrofage'" in problem.rule
    assert "macrophage" in problem.instead


def test_a_wrong_number_an_unknown_source_and_a_gene_without_a_place_are_told():
    known = catalogue()
    report = Report(quantity="Kd", value=7.0, printed="6 nM", source="nobody-1999")
    tnf = known.molecules["TNF"].model_copy(update={"reported": (report,)})
    genes = {"CXCL99": known.genes["TNF"].model_copy(update={"symbol": "CXCL99"})}
    wrong = dataclasses.replace(
        known, molecules=known.molecules | {"TNF": tnf}, genes=known.genes | genes
    )
    told = [(problem.place, problem.rule) for problem in check.problems(wrong)]
    assert ("TNF.reported.0", "6 nM is 6000 pM, not 7.") in told
    assert ("TNF.reported.0", "'nobody-1999' is not in the bibliography.") in told
    assert any(place == "CXCL99" and "in no molecule" in rule for place, rule in told)


def test_the_catalogue_is_as_large_as_it_says():
    held = check.counts(catalogue())
    assert held["of them in molecules"] + held["of them aside"] == 205
    assert held["cytokines"] >= 180
    assert held["receptors"] >= 120
    assert held["numbers for simulation"] + held["numbers reported"] >= 250
    assert held["numbers read"] >= 180


FAMILIES = {
    "chemokine GPCR": r"(CC|CXC|XC|CX3C)R\d+|ACKR\d",
    "TNFR": r"TNFRSF\w+|LTBR|FAS|CD40|CD27|EDAR|EDA2R|NGFR",
    "IL-17R": r"IL17R\w",
    "Ser/Thr kinase": r"TGFBR[12]|ACVR\w+|BMPR\w+|AMHR2",
    "IL-1R/TIR": r"IL1R\w+|IL18R\w+",
    "type II": r"IFN\w+R\d?|IFNAR\d|IL10R\w|IL20R\w|IL22RA\d",
    "type I": r"IL(2|3|4|5|6|7|9|11|12|13|15|21|23|27|31)R\w*|IL6ST|CSF[23]R\w?|LIFR|OSMR|CNTFR"
    r"|CRLF2|EPOR|MPL|LEPR|GHR|PRLR",
    "RTK": r"KIT|FLT3|CSF1R|EGFR|ALK|LTK|MET|RET",
}


def test_the_class_of_a_receptor_is_that_of_its_first_chain():
    for key, receptor in catalogue().receptors.items():
        for name, pattern in FAMILIES.items():
            if re.fullmatch(pattern, receptor.chains[0]):
                assert receptor.receptor_class == name, key


def test_at_most_eight_numbers_are_fitted():
    fitted = {
        path
        for name in PROGRAMS
        if name not in ("macrophage", "venule")  # those of monocyte and endothelium again
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
    paths = [row["number"] for row in questions.describe(catalogue(), "TNF")["numbers"]]
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
    "IL-21": "IL21",
    "IL-27": "IL27",
    "IL-25": "IL25",
    "TPO": "THPO",
    "RANKL": "TNFSF11",
    "IL-35": "IL35",
    "eotaxin": "CCL11",
}


@pytest.mark.parametrize(("name", "key"), RESOLVED.items())
def test_a_name_finds_its_molecule(name, key):
    assert catalogue().find(name) == key


@pytest.mark.parametrize(
    "name",
    ["IL1RA", "IL-99", "interleukin", "", "NFKB1", "IL6R", "p40", "p35", "HGF", "MDC", "IL12B"],
)
def test_no_name_is_guessed(name):
    with pytest.raises(InputError):
        catalogue().find(name)


def test_every_subunit_and_chain_is_an_approved_gene():
    known = catalogue()
    made = {"LPS", "ATP", "cortisol"}  # not proteins
    whole = ("drug", "antigen", "antibody")
    natural = [m for m in known.molecules.values() if m.kind not in whole]
    assert {g for m in natural for g in m.subunits} <= {*known.genes} | made
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


# pairs that lists of interactions copy from each other, ligand and chain
NOT_BOUND = [
    ("IL4", "CD53"),
    ("IL2", "CD53"),
    ("IL2", "NGFR"),
    ("IL18", "IL1RAPL1"),
    ("CSF2", "CSF3R"),
    ("CSF2", "IL3RA"),
    ("IL16", "KCNJ15"),
    ("IL16", "KCNJ10"),
    ("IL16", "GRIN2D"),
    ("TNF", "TNFRSF21"),
    ("TNF", "TRAF2"),
    ("IL1B", "ADRB2"),
    ("IL6", "F3"),
    ("LTA", "LTBR"),
]


@pytest.mark.parametrize(("ligand", "chain"), NOT_BOUND)
def test_no_wrong_pair_of_ligand_and_chain_is_copied(ligand, chain):
    assert not any(
        chain in receptor.chains and ligand in receptor.binds
        for receptor in catalogue().receptors.values()
    )


@pytest.mark.parametrize("antagonist", ["IL1RN", "IL36RN"])
def test_an_antagonist_binds_without_a_signal(antagonist):
    bound = [r.binds[antagonist] for r in catalogue().receptors.values() if antagonist in r.binds]
    assert bound
    assert {binding.effect for binding in bound} == {"none"}


def test_popular_statements_are_judged_as_the_entries_say():
    known = catalogue()
    verdicts = [statement.verdict for statement in known.statements]
    assert verdicts.count("wrong") == 3
    # few interleukins signal through a receptor that is a GPCR or a tyrosine kinase itself
    classes = {
        key: {r.receptor_class for r in questions.receptors_of(known, key).values()}
        for key in questions.group(known, "interleukins")
    }
    assert [key for key, found in classes.items() if "chemokine GPCR" in found] == ["CXCL8"]
    # not only leukocytes make interleukins, and they do not act on leukocytes only
    for key, cell in (("IL7", "stromal cell"), ("IL33", "epithelial cell")):
        made = {fact.cell for fact in known.molecules[key].made_by}
        assert made & known.kinds_of(cell), key
    assert "hepatocyte" in {fact.cell for fact in known.molecules["IL6"].acts_on}


def test_many_receivers_shorten_the_reach_and_healthy_blood_is_not_heard():
    rows = {row["what"]: row for row in reach(catalogue(), "IL-6")}
    few, many = (
        float(rows[f"length among {who} receivers"]["value"].split()[0]) for who in ("few", "many")
    )
    assert few / many == pytest.approx(10, rel=0.01)  # a hundred times the cells
    assert float(rows["IL6R occupied in blood"]["value"].split()[0]) < 1
    with pytest.raises(InputError, match="mass is unknown"):
        reach(catalogue(), "noggin")


def test_what_is_exported_is_what_is_there(tmp_path):
    known = catalogue()
    files = {file.stem: file for file in write_csv(known, tmp_path / "out")}
    lengths = {name: len(pd.read_csv(file)) for name, file in files.items()}
    held = check.counts(known)
    assert lengths["molecules"] == len(known.molecules)
    assert lengths["receptors"] == held["receptors"]
    assert lengths["facts"] == held["facts"]
    assert lengths["numbers"] == held["numbers reported"]
    write_gml(known, tmp_path / "graph.gml")
    text = (tmp_path / "graph.gml").read_text("utf-8")
    assert text.count("node [") > held["cytokines"]
    labels = re.findall(r'node \[ id (\d+) label "([^"]+)" \]', text)
    at = {label: k for k, label in labels}
    assert f'source {at["IL10"]} target {at["IL10R (receptor)"]} label "binds"' in text


PRINTED = {
    "17 nM": (17, 17, "nM"),
    "~20 to 90 pmol/L": (20, 90, "pM"),
    "2.3 ± 0.1 nM": (2.3, 2.3, "nM"),
    "1.9 ± 0.2 x 10-9 M": (1.9e-9, 1.9e-9, "M"),
    "4 X 10(-10) M": (4e-10, 4e-10, "M"),
    "1.47 (0.71–3.53) pg/ml": (1.47, 1.47, "pg/mL"),
    "2,000-2,500 sites per cell": (2000, 2500, "molecules"),
    "1.11 ± 0.25 hours": (1.11, 1.11, "h"),
    "1.17 ± 0.29 mL/minute/kg": (1.17, 1.17, "mL/min/kg"),
    "31.9 (SD14.8) pg/ml": (31.9, 31.9, "pg/mL"),
    "9.5 ± 1.2 ng/10^6 EC": (9.5, 9.5, "fg"),
    "106.7 +/- 42.65 pg of IL-13 from a million mast cells": (106.7, 106.7, "ag"),
    "0.86 ± 0.4 pg of IL-2 per cell": (0.86, 0.86, "pg"),
}


@pytest.mark.parametrize(("text", "meant"), PRINTED.items())
def test_a_printed_number_is_read_with_its_unit(text, meant):
    printed = read_printed(text)
    assert (printed.low, printed.high) == pytest.approx(meant[:2])
    assert printed.unit == meant[2]


@pytest.mark.parametrize(
    ("printed", "over", "cells", "meant"),
    [
        ("9.6 ng/10^6 EC", "8 h", "", 1.2),
        ("24 ng/ml", "1 day", "1e6 cells/mL", 1.0),
        ("3-10 pg of IFN-α/cell", "", "", 6500.0),
    ],
)
def test_a_secretion_is_told_per_cell(printed, over, cells, meant):
    report = Report(
        quantity="secretion", value=1, printed=printed, over=over, cells=cells, source="x"
    )
    assert sum(converted(report)) / 2 == pytest.approx(meant)


@pytest.mark.parametrize("text", ["< 3 nM", "> 100 μM", "less than 0.5 h", "high affinity", "8 U"])
def test_a_bound_or_a_word_is_no_printed_number(text):
    with pytest.raises(UnitError):
        read_printed(text)


def test_a_leader_ends_where_the_mature_chain_may_begin():
    for gene in catalogue().genes.values():
        if gene.leader and gene.leader != "none" and gene.mature:
            assert int(gene.mature.split("-")[0]) > int(gene.leader.split("-")[1]), gene.symbol
    known = catalogue()
    assert known.has_leader("IL6")
    assert known.has_leader("IL1B") is False
    assert known.has_leader("NOG") is None


def test_a_comparison_names_the_entries_behind_every_count():
    rows = comparison.compare(catalogue(), "cytokines", "interleukins")
    every = questions.group(catalogue(), "cytokines")
    for row in rows:
        assert row["answer"].endswith("."), row
        for counted in row["counted"].values():
            assert {key for keys in counted.values() for key in keys} <= {*every}
    told = {row["question"]: row for row in rows}
    interleukins = questions.group(catalogue(), "interleukins")
    assert told["What are they?"]["answer"].startswith(f"All {len(interleukins)} interleukins are")
    released = told["How are they released?"]["counted"]["interleukins"]
    assert "IL1B" in released["without a leader"]
    assert "IL6" in released["secreted with a leader"]
    with pytest.raises(InputError, match="interleukins"):
        comparison.compare(catalogue(), "cytokines", "interleukinz")


def test_of_the_most_studied_every_number_is_known_or_was_sought():
    assert list(check.missing(catalogue())) == []
    il6 = catalogue().molecules["IL6"].model_copy(update={"reported": (), "searched": {}})
    poorer = dataclasses.replace(catalogue(), molecules=catalogue().molecules | {"IL6": il6})
    assert "IL6: secretion" in list(check.missing(poorer))


def test_what_others_list_is_here_an_exception_or_missing(tmp_path):
    listed = tmp_path / "listed.csv"
    rows = ("IL6,IL6R,12", "CXCL8,IL6R,9", "BMP4,ACVR2A,8", "TNF,IL6R,3")
    listed.write_text("\n".join(("ligand,receptor_subunit,n_resources", *rows)))
    found = [row["found"] for row in check.against(catalogue(), listed)]
    assert found == ["here", "missing", "an exception"]
    for text in ("a,b\n1,2", "ligand,receptor_subunit,n_resources\nIL6,IL6R,many"):
        listed.write_text(text)
        with pytest.raises(InputError, match="list of pairs"):
            check.against(catalogue(), listed)
    with pytest.raises(InputError, match="nowhere"):
        check.against(catalogue(), tmp_path / "nowhere.csv")
