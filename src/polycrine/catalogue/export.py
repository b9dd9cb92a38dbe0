"""The catalogue as CSV tables, and as a graph of cells, cytokines and receptors in GML."""

import csv
import json
from pathlib import Path
from typing import Any

from polycrine.catalogue.check import reports
from polycrine.catalogue.library import Catalogue
from polycrine.catalogue.questions import actions, backing, sources

Row = dict[str, Any]
MADE_BY, ACTS_ON = "made by", "acts on"


def tables(known: Catalogue) -> dict[str, list[Row]]:
    """molecules, receptors, facts, numbers and sources, each as rows."""
    return {
        "molecules": [_molecule(known, key) for key in known.molecules],
        "receptors": [_receptor(known, key) for key in known.receptors],
        "facts": _facts(known),
        "numbers": [
            {"molecule": place.partition(".")[0], **report.model_dump(), "unit": report.unit}
            for place, report in reports(known)
        ],
        "sources": sources(known),
    }


def write_csv(known: Catalogue, folder: Path) -> list[Path]:
    """Write every table as a CSV file into a folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, rows in tables(known).items():
        file = folder / f"{name}.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        files.append(file)
    return files


def write_gml(known: Catalogue, file: Path) -> None:
    """Write who makes what, what acts on whom, and what binds what as a directed graph."""
    edges = []
    for row in _facts(known):
        ends = (row["cell"], row["molecule"], "makes")
        if row["relation"] == ACTS_ON:
            ends = (row["molecule"], row["cell"], row["relation"])
        edges.append(ends)
    for key, receptor in known.receptors.items():
        edges += [(ligand, f"{key} (receptor)", "binds") for ligand in receptor.binds]
    edges = list(dict.fromkeys(edges))
    ids = {name: k for k, name in enumerate(dict.fromkeys(n for edge in edges for n in edge[:2]))}
    nodes = [f"  node [ id {k} label {json.dumps(name)} ]" for name, k in ids.items()]
    lines = [f'  edge [ source {ids[a]} target {ids[b]} label "{label}" ]' for a, b, label in edges]
    file.write_text("\n".join(["graph [", "  directed 1", *nodes, *lines, "]", ""]), "utf-8")


def _molecule(known: Catalogue, key: str) -> Row:
    molecule = known.molecules[key]
    genes = [known.genes[symbol] for symbol in molecule.subunits if symbol in known.genes]
    return {
        "key": key,
        "name": molecule.name,
        "kind": molecule.kind,
        "family": molecule.family,
        "tags": "|".join(molecule.tags),
        "aliases": "|".join(molecule.aliases),
        "subunits": "|".join(f"{gene}={count}" for gene, count in molecule.subunits.items()),
        "hgnc": "|".join(gene.hgnc for gene in genes),
        "uniprot": "|".join(gene.uniprot for gene in genes),
        "leader": "|".join(gene.leader for gene in genes),
        "mature": "|".join(gene.mature for gene in genes),
        "mass": molecule.mass.text,
        "clearance": molecule.clearance.text,
        "healthy plasma": molecule.healthy_plasma.text,
    }


def _receptor(known: Catalogue, key: str) -> Row:
    receptor = known.receptors[key]
    return {
        "key": key,
        "name": receptor.name,
        "kind": receptor.kind,
        "class": receptor.receptor_class,
        "chains": "|".join(receptor.chains),
        "kinases": "|".join(receptor.kinases),
        "factors": "|".join(receptor.factors),
        "feedback": "|".join(receptor.feedback),
        "signals for": "|".join(k for k, b in receptor.binds.items() if b.effect == "signal"),
        "binds": "|".join(k for k, b in receptor.binds.items() if b.effect == "none"),
        "sources": "|".join(receptor.source),
    }


def _facts(known: Catalogue) -> list[Row]:
    rows = []
    for key, molecule in known.molecules.items():
        for fact, what, relation in (
            *((made, made.on, MADE_BY) for made in molecule.made_by),
            *((fact, what, ACTS_ON) for fact, what in actions(molecule)),
        ):
            row = {"molecule": key, "relation": relation, "cell": fact.cell, "what": what}
            rows.append({**row, "counts as": getattr(fact, "counts_as", ""), **backing(fact)})
    return rows
