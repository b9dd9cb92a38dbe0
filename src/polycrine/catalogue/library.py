"""The shipped catalogue, loaded once: one YAML file per family, all sources in one file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from polycrine.catalogue.entries import (
    Barrier,
    Complex,
    Family,
    Microbe,
    Molecule,
    Number,
    Receptor,
    Record,
    Source,
    TissueKind,
)
from polycrine.catalogue.yamltext import R, fill, read_document
from polycrine.errors import nearest, wrong
from polycrine.units import ActiveForm

KINDS_OF_ENTRY = ("molecules", "receptors", "complexes", "tissues", "barriers", "microbes")
GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "κ": "kappa", "λ": "lambda"}


class Sources(Record):
    """The bibliography: every source behind a number, by its key."""

    sources: dict[str, Source]


@dataclass(frozen=True)
class Catalogue:
    """Every kind of entry by its key, with the sources that they cite."""

    molecules: dict[str, Molecule]
    receptors: dict[str, Receptor]
    complexes: dict[str, Complex]
    tissues: dict[str, TissueKind]
    barriers: dict[str, Barrier]
    microbes: dict[str, Microbe]
    sources: dict[str, Source]

    def find(self, name: str) -> str:
        """The key of the molecule that a name means; raises InputError when none or several do."""
        if name in self.molecules:
            return name
        found = sorted(
            key
            for key, molecule in self.molecules.items()
            if normal(name) in {normal(n) for n in (key, molecule.name, *molecule.aliases)}
        )
        if len(found) == 1:
            return found[0]
        if found:
            raise wrong(name, f"this name is ambiguous: {', '.join(found)}.", "Write one of them.")
        rule = "no molecule of the catalogue has this name."
        raise wrong(name, rule, nearest(name, self.molecules))

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


def describe(known: Catalogue, key: str) -> dict[str, Any]:
    """What is known of a molecule: its record, and rows of its own and its bindings' numbers."""
    rows = []
    for path, number in known.numbers():
        if key in path.split(".")[0].split(":") or f".binds.{key}." in path:
            span = f"{number.low:g}-{number.high:g}" if number.has_range else ""
            backing = known.sources[number.source].cite if number.source else number.why
            row = {"number": path, "value": number.text, "range": span, "origin": number.origin}
            rows.append({**row, "source or reason": backing})
    fields = {"name", "kind", "about", "aliases", "hgnc", "uniprot", "family", "subunits"}
    return {"key": key, **known.molecules[key].model_dump(include=fields), "numbers": rows}


def normal(name: str) -> str:
    """A name without case, hyphens, spaces and Greek letters; IL for interleukin."""
    for letter, word in GREEK.items():
        name = name.replace(letter, word)
    return re.sub(r"[\s\-_]", "", name.casefold().replace("interleukin", "il"))


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
def catalogue() -> Catalogue:
    """The catalogue that ships with polycrine; raises InputError if a file of it is wrong."""
    data = files("polycrine.catalogue") / "data"

    def filled(name: str, record: type[R]) -> R:
        return fill(record, read_document((data / name).read_text("utf-8"), name))

    sources = filled("sources.yaml", Sources).sources
    names = sorted(file.name for file in data.iterdir() if file.name.endswith(".yaml"))
    families = {name: filled(name, Family) for name in names if name != "sources.yaml"}
    entries = {
        kind: {
            k: entry for family in families.values() for k, entry in getattr(family, kind).items()
        }
        for kind in KINDS_OF_ENTRY
    }
    return Catalogue(**entries, sources=sources)
