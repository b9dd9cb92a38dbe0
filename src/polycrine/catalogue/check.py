"""Whether the catalogue is whole: names exist, sources are known, numbers convert."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from polycrine.catalogue.entries import Fact, Report
from polycrine.catalogue.library import CYTOKINES, UNIPROT, Catalogue
from polycrine.catalogue.printed import converted
from polycrine.errors import Problem, UnitError, nearest, wrong

MOST_STUDIED = (
    *("IL1A", "IL1B", "IL1RN", "IL2", "IL3", "IL4", "IL5", "IL6", "IL7", "CXCL8", "IL10", "IL11"),
    *("IL12", "IL13", "IL15", "IL17A", "IL18", "IL21", "IL22", "IL33", "TNF", "LTA", "IFNA2"),
    *("IFNB1", "IFNG", "CSF1", "CSF2", "CSF3", "TGFB1", "CCL2"),
)
ROUNDED = 0.01  # by how much a converted value may differ from what is printed
WHOLE = ("drug", "antigen", "antibody")  # what these are made of is not told
NOT_PROTEINS = ("LPS", "ATP", "cortisol")


def problems(known: Catalogue) -> list[Problem]:
    """Everything that is wrong in the catalogue, each with its place."""
    named = [*_names(known)]
    if named:  # what follows looks names up
        return named
    return [*_sources(known), *_placed(known), *_excepted(known), *_conversions(known)]


def facts(known: Catalogue) -> Iterator[tuple[str, Fact]]:
    """Every fact with the place where it stands."""
    for key, molecule in known.molecules.items():
        for part in ("made_by", "acts_on", "effects", "genes"):
            for k, fact in enumerate(getattr(molecule, part)):
                yield f"{key}.{part}.{k}", fact


def reports(known: Catalogue) -> Iterator[tuple[str, Report]]:
    """Every reported number with the place where it stands."""
    for key, molecule in known.molecules.items():
        yield from ((f"{key}.reported.{k}", report) for k, report in enumerate(molecule.reported))


def counts(known: Catalogue) -> dict[str, int]:
    """What the catalogue holds, counted."""
    origins = Counter(number.origin for _, number in known.numbers() if number.value != "unknown")
    stated = [fact for _, fact in facts(known)]
    told = [report.origin for _, report in reports(known)]
    cytokines = [m for m in known.molecules.values() if m.kind in CYTOKINES]
    return {
        "genes counted as cytokines": sum(gene.cytokine for gene in known.genes.values()),
        "of them in molecules": len(_in_molecules(known)),
        "of them aside": len(known.aside),
        "cytokines": len(cytokines),
        "receptors": len(known.receptors),
        "cell types": len(known.cells),
        "facts": len(stated),
        "facts read": sum(fact.origin == "read" for fact in stated),
        "facts at second hand": sum(fact.origin == "second-hand" for fact in stated),
        "facts of other species than man": sum(bool(fact.species) for fact in stated),
        "numbers for simulation": sum(origins.values()),
        "numbers reported": len(told),
        "numbers read": origins["read"] + told.count("read"),
        "sources": len(known.sources),
    }


def _in_molecules(known: Catalogue) -> set[str]:
    used = {gene for molecule in known.molecules.values() for gene in molecule.subunits}
    return {symbol for symbol in used if symbol in known.genes and known.genes[symbol].cytokine}


def _names(known: Catalogue) -> Iterator[Problem]:
    cells, genes = [*known.cells], [*known.genes]
    for place, fact in facts(known):
        cell = str(getattr(fact, "cell", ""))
        if cell not in known.cells:
            yield Problem(place, f"no cell type is called '{cell}'.", nearest(cell, cells))
        gene = str(getattr(fact, "activates", "") or getattr(fact, "inhibits", ""))
        if gene and gene not in known.genes:
            yield Problem(place, f"'{gene}' is no gene of the table.", nearest(gene, genes))
    for kind, part in (("molecules", "subunits"), ("receptors", "chains")):
        for key, entry in getattr(known, kind).items():
            if kind == "molecules" and entry.kind in WHOLE:
                continue
            for gene in {*getattr(entry, part)} - {*known.genes} - {*NOT_PROTEINS}:
                place, rule = f"{key}.{part}", f"'{gene}' is no gene of the table."
                yield Problem(place, rule, nearest(gene, genes))
    for key, assembly in known.assemblies.items():
        if assembly.ligand not in known.molecules:
            instead = nearest(assembly.ligand, known.molecules)
            yield Problem(f"{key}.ligand", f"no molecule is called '{assembly.ligand}'.", instead)
        for gene in {*assembly.chains} - {*known.genes}:
            rule = f"'{gene}' is no gene of the table."
            yield Problem(f"{key}.chains", rule, nearest(gene, genes))
        needed = {step.after for step in assembly.chains.values() if step.after}
        for chain in {*assembly.signals, *needed} - {*assembly.chains}:
            rule, instead = f"'{chain}' is none of its chains.", nearest(chain, assembly.chains)
            yield Problem(key, rule, instead)
    every = {*known.molecules, *known.receptors, *cells}
    for k, statement in enumerate(known.statements):
        for name in {*statement.entries} - every:
            yield Problem(f"statements.{k}", f"nothing is called '{name}'.", nearest(name, every))
    for key, receptor in known.receptors.items():
        for ligand in {*receptor.binds} - {*known.molecules} - {*known.complexes}:
            instead = nearest(ligand, known.molecules)
            yield Problem(f"{key}.binds", f"no molecule is called '{ligand}'.", instead)


def _excepted(known: Catalogue) -> Iterator[Problem]:
    for ligand, chain in {*known.exceptions} & pairs(known):
        rule = "it is an exception, and a receptor has it all the same."
        yield Problem(f"exceptions.{ligand}-{chain}", rule)


def citations(known: Catalogue) -> Iterator[tuple[str, str]]:
    """Every place that cites a source, with the key of the source."""
    for place, fact in facts(known):
        yield from ((place, key) for key in fact.source)
    for place, number in known.numbers():
        if number.source:
            yield place, number.source
    for place, report in reports(known):
        yield place, report.source
    for k, statement in enumerate(known.statements):
        yield from ((f"statements.{k}", source) for source in statement.source)
    for (ligand, chain), pair in known.exceptions.items():
        yield from ((f"exceptions.{ligand}-{chain}", source) for source in pair.source)
    for kind in ("molecules", "receptors"):
        for key, entry in getattr(known, kind).items():
            yield from ((key, source) for source in entry.source)
    for key, receptor in known.receptors.items():
        for ligand, binding in receptor.binds.items():
            yield from ((f"{key}.binds.{ligand}", source) for source in binding.source)


def _sources(known: Catalogue) -> Iterator[Problem]:
    for place, key in citations(known):
        if not key.startswith(UNIPROT) and key not in known.sources:
            rule = f"'{key}' is not in the bibliography."
            yield Problem(place, rule, nearest(key, known.sources))


def _placed(known: Catalogue) -> Iterator[Problem]:
    placed = _in_molecules(known) | {*known.aside}
    for symbol, gene in known.genes.items():
        if gene.cytokine and symbol not in placed:
            yield Problem(symbol, "it is in no molecule, and no reason stands under 'aside'.")


def _conversions(known: Catalogue) -> Iterator[Problem]:
    for place, report in reports(known):
        try:
            low, high = converted(report)
        except UnitError as error:
            yield Problem(place, str(error))
            continue
        if abs((low + high) / 2 / report.value - 1) > ROUNDED:
            rule = (
                f"{report.printed} is {(low + high) / 2:.4g} {report.unit}, not {report.value:g}."
            )
            yield Problem(place, rule)


def missing(known: Catalogue) -> Iterator[str]:
    """What of the most studied cytokines is neither known nor noted as searched in vain: Kd at each
    receptor, half-life or clearance, level in healthy blood, secretion by a cell."""
    for key in MOST_STUDIED:
        molecule = known.molecules[key]
        told = {report.quantity for report in molecule.reported} | {*molecule.searched}
        told |= {"clearance"} if molecule.clearance.value != "unknown" else set()
        told |= {"healthy level"} if molecule.healthy_plasma.value != "unknown" else set()
        cleared = {"half-life", "clearance", "clearance per weight"}
        if not told & cleared:
            yield f"{key}: half-life or clearance"
        yield from (f"{key}: {what}" for what in ("healthy level", "secretion") if what not in told)
        places = [report.of for report in molecule.reported if report.quantity in ("Kd", "IC50")]
        places += [what for what in molecule.searched if what.startswith("Kd")]
        for name, receptor in known.receptors.items():
            bound = receptor.binds.get(key)
            if bound is None or bound.kd.value != "unknown":
                continue
            if not any(part in place for part in (name, *receptor.chains) for place in places):
                yield f"{key}: Kd at {name}"


def pairs(known: Catalogue) -> set[tuple[str, str]]:
    """Every gene of a ligand with every chain of the receptors that bind it."""
    return {
        (gene, chain)
        for receptor in known.receptors.values()
        for ligand in receptor.binds
        for molecule in known.contents(ligand)
        for gene in known.molecules[molecule].subunits
        for chain in receptor.chains
    }


LISTED = ("ligand", "receptor_subunit", "n_resources")  # columns of a list of pairs


def against(known: Catalogue, file: Path, least: int = 8) -> list[dict[str, str]]:
    """Every pair of ligand and chain that `least` or more resources list, and whether it is here,
    an exception with its reason, or missing.

    file: CSV with the columns `LISTED`; raises InputError for a file that is none.
    """
    try:
        table = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
        listed = [tuple(row[column] for column in LISTED) for row in table]
        often = [(ligand, chain, n) for ligand, chain, n in listed if int(n) >= least]
    except (OSError, ValueError, KeyError) as error:
        rule = f"it cannot be read as a list of pairs ({error})."
        raise wrong(str(file), rule, f"Columns: {', '.join(LISTED)}.") from error
    here = pairs(known)
    rows = []
    for ligand, chain, n in often:
        exception = "an exception" if (ligand, chain) in known.exceptions else "missing"
        found = "here" if (ligand, chain) in here else exception
        rows.append({"ligand": ligand, "chain": chain, "listed by": n, "found": found})
    return rows
