"""The shipped catalogue, loaded once: one YAML file per family, all sources in one file."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import BaseModel

from polycrine.catalogue.entries import (
    Assembly,
    Barrier,
    Cell,
    Complex,
    Family,
    Gene,
    Microbe,
    Molecule,
    Number,
    Pair,
    Receptor,
    Record,
    Source,
    Statement,
    Synapse,
    TissueKind,
)
from polycrine.catalogue.yamltext import R, fill, read_document
from polycrine.errors import nearest, wrong
from polycrine.units import ActiveForm

KINDS_OF_ENTRY = (
    *("molecules", "receptors", "assemblies", "complexes"),
    *("tissues", "barriers", "microbes", "synapses"),
)
GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "κ": "kappa",
    "λ": "lambda",
    "ω": "omega",
}
UNIPROT = "uniprot:"
CYTOKINES = ("cytokine", "antagonist")  # kinds of molecule


class Sources(Record):
    """The bibliography: every source behind a number, by its key."""

    sources: dict[str, Source]


class Statements(Record):
    """What popular texts say of cytokines."""

    about: str = ""
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Catalogue:
    """Every kind of entry by its key, with the sources that they cite.

    genes: by symbol, all that subunits, chains and effects name; cells: by name; aside: genes that
    other lists count as cytokines, and why they are none here; exceptions: pairs of ligand and
    chain that other lists have and this one not.
    """

    molecules: dict[str, Molecule]
    receptors: dict[str, Receptor]
    assemblies: dict[str, Assembly]
    complexes: dict[str, Complex]
    tissues: dict[str, TissueKind]
    barriers: dict[str, Barrier]
    microbes: dict[str, Microbe]
    synapses: dict[str, Synapse]
    sources: dict[str, Source]
    genes: dict[str, Gene]
    cells: dict[str, Cell]
    aside: dict[str, str]
    statements: tuple[Statement, ...]
    exceptions: dict[tuple[str, str], Pair]

    def find(self, name: str) -> str:
        """The key of the molecule that a name means; raises InputError when none or several do.

        As written, then without case, hyphens, spaces and Greek letters: our own names first, then
        approved symbols, then aliases that HGNC gives to one gene only.
        """
        for same in (_spelt, normal):
            for names in (self._own_names, self._symbols, self._gene_aliases):
                found = {key for key, known in names() if same(known) == same(name)}
                if found and names == self._gene_aliases:
                    found = {key for key, known in names() if normal(known) == normal(name)}
                if len(found) > 1:
                    rule = f"this name is ambiguous: {', '.join(sorted(found))}."
                    raise wrong(name, rule, "Write one of them.")
                if found:
                    return self._molecule(name, *found)
        rule = "no molecule of the catalogue has this name."
        raise wrong(name, rule, nearest(name, self.molecules))

    def _own_names(self) -> Iterable[tuple[str, str]]:
        for key, molecule in self.molecules.items():
            yield from ((key, known) for known in (key, molecule.name, *molecule.aliases))

    def _symbols(self) -> Iterable[tuple[str, str]]:
        return ((symbol, symbol) for symbol in self.genes)

    def _gene_aliases(self) -> Iterable[tuple[str, str]]:
        for symbol, gene in self.genes.items():
            yield from ((symbol, alias) for alias in gene.aliases)

    def _molecule(self, name: str, key: str) -> str:
        """A key as it is, or the one molecule, no soluble receptor, that a gene is a subunit of."""
        if key in self.molecules:
            return key
        whole = {k: m for k, m in self.molecules.items() if m.kind != "soluble receptor"}
        made = [k for k, molecule in whole.items() if key in molecule.subunits]
        if len(made) == 1:
            return made[0]
        if made:
            rule = f"{key} is a subunit of several: {', '.join(made)}."
            raise wrong(name, rule, "Write one of them.")
        worn = [k for k, receptor in self.receptors.items() if key in receptor.chains]
        rule = f"the catalogue has no molecule made of {key}"
        rule += f"; it is a chain of {', '.join(worn)}." if worn else "."
        raise wrong(name, self.aside.get(key, rule), nearest(name, self.molecules))

    def find_cell(self, name: str) -> str:
        """The name of the cell type that a name or an id of the Cell Ontology means."""
        for known, cell in self.cells.items():
            if normal(name) in {normal(n) for n in (known, cell.id, cell.label, *cell.aliases)}:
                return known
        rule = "no cell type of the catalogue has this name."
        raise wrong(name, rule, nearest(name, self.cells))

    def kinds_of(self, cell: str) -> set[str]:
        """A cell type and all that are kinds of it."""
        found = {cell}
        while more := {k for k, c in self.cells.items() if found & {*c.parents}} - found:
            found |= more
        return found

    def cited(self, key: str) -> Source:
        """A source of the bibliography, or the entry of a protein in UniProt."""
        if not key.startswith(UNIPROT):
            return self.sources[key]
        accession = key.removeprefix(UNIPROT)
        url = f"https://www.uniprot.org/uniprotkb/{accession}"
        return Source(cite=f"UniProtKB {accession}", url=url)

    def has_leader(self, key: str) -> bool | None:
        """Whether every subunit of a molecule has a leader; None where that is unknown."""
        genes = [self.genes.get(symbol) for symbol in self.molecules[key].subunits]
        if not all(gene and gene.leader for gene in genes):
            return None
        return all(gene and gene.leader != "none" for gene in genes)

    def active_form(self, key: str) -> ActiveForm:
        """What a mass of this molecule, or of a complex, means in moles."""
        if key in self.complexes:
            parts = [self.active_form(part) for part in self.complexes[key].parts]
            return ActiveForm(key, sum(part.kda for part in parts))
        molecule = self.molecules[key]
        units = molecule.activity.read("activity per mass") if molecule.activity else None
        subunits = sum(molecule.subunits.values())
        return ActiveForm(key, molecule.mass.read("molar mass"), subunits, units)

    def contents(self, key: str) -> dict[str, int]:
        """How many of each molecule one molecule or complex holds."""
        if key not in self.complexes:
            return {key: 1}
        held: dict[str, int] = {}
        for part in self.complexes[key].parts:
            for inner, count in self.contents(part).items():
                held[inner] = held.get(inner, 0) + count
        return held

    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Every number of the catalogue with its path, such as `TNF.clearance`."""
        for kind in KINDS_OF_ENTRY:
            for key, entry in getattr(self, kind).items():
                yield from numbers_of(entry, key)


def _spelt(name: str) -> str:
    for letter, word in GREEK.items():
        name = name.replace(letter, word)
    return name.strip()


def normal(name: str) -> str:
    """A name without case, hyphens, spaces and Greek letters; IL for interleukin."""
    return re.sub(r"[\s\-_]", "", _spelt(name).casefold().replace("interleukin", "il"))


def numbers_of(entry: BaseModel, path: str) -> Iterator[tuple[str, Number]]:
    """Every Number inside a record, with its dotted path."""
    for name, field in type(entry).model_fields.items():
        value, here = getattr(entry, name), f"{path}.{(field.alias or name).replace(' ', '_')}"
        yield from _numbers_in(value, here)


def _numbers_in(value: object, path: str) -> Iterator[tuple[str, Number]]:
    if isinstance(value, Number):
        yield path, value
    elif isinstance(value, BaseModel):
        yield from numbers_of(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers_in(inner, f"{path}.{key.replace(' ', '_')}")


@cache
def drug_named(name: str) -> str | None:
    """The key of the drug that has a name, if there is one."""
    drugs = {key: m for key, m in catalogue().molecules.items() if m.kind == "drug"}
    wanted = normal(name)
    found = (k for k, m in drugs.items() if wanted in map(normal, (k, m.name, *m.aliases)))
    return next(found, None)


@cache
def catalogue() -> Catalogue:
    """The catalogue that ships with polycrine; raises InputError if a file of it is wrong."""
    data = files("polycrine.catalogue") / "data"

    def filled(name: str, record: type[R]) -> R:
        return fill(record, read_document((data / name).read_text("utf-8"), name))

    sources = filled("sources.yaml", Sources).sources
    names = sorted(file.name for file in data.iterdir() if file.name.endswith(".yaml"))
    others = ("sources.yaml", "statements.yaml")
    families = {name: filled(name, Family) for name in names if name not in others}
    entries = {
        kind: {
            k: entry for family in families.values() for k, entry in getattr(family, kind).items()
        }
        for kind in KINDS_OF_ENTRY
    }
    aside = {k: why for family in families.values() for k, why in family.aside.items()}
    genes = {gene.symbol: gene for gene in _table(data / "genes.csv", Gene, "aliases")}
    cells = {cell.name: cell for cell in _table(data / "cells.csv", Cell, "parents", "aliases")}
    statements = filled("statements.yaml", Statements).statements
    exceptions = {(p.ligand, p.chain): p for p in _table(data / "exceptions.csv", Pair, "source")}
    return Catalogue(
        **entries,
        sources=sources,
        genes=genes,
        cells=cells,
        aside=aside,
        statements=statements,
        exceptions=exceptions,
    )


def _table(file: Traversable, record: type[R], *many: str) -> list[R]:
    """The rows of a CSV file below its comment; in columns `many` values stand behind |."""
    lines = (line for line in file.read_text("utf-8").splitlines() if not line.startswith("#"))
    rows = []
    for row in csv.DictReader(lines):
        lists = {column: tuple(filter(None, row[column].split("|"))) for column in many}
        rows.append(record.model_validate({**row, **lists}))
    return rows
