"""What one can ask the catalogue; every answer is a table whose rows name their sources."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from polycrine.catalogue.check import citations
from polycrine.catalogue.entries import Effect, Fact, Label, Molecule, Receptor
from polycrine.catalogue.library import CYTOKINES, Catalogue, normal
from polycrine.errors import nearest, wrong

Row = dict[str, Any]
FIRST = 3  # names in a sentence


def summary(known: Catalogue, key: str) -> str:
    """What a molecule is: as its entry says, or told from its family, cells and receptors."""
    molecule = known.molecules[key]
    if molecule.about:
        return molecule.about
    kind: str = molecule.kind
    if molecule.family not in ("", "other"):
        named = molecule.family.endswith(("chemokine", "interferon", "hormone"))
        kind = molecule.family if named else f"{kind} of the {molecule.family} family"
    told = (
        ("made by", [fact.cell for fact in molecule.made_by]),
        ("acts through", [*signalling_receptors(known, key)]),
        ("on", [fact.cell for fact, _ in actions(molecule)]),
    )
    parts = [f"{verb} {_first(names)}" for verb, names in told if names]
    return f"{'; '.join([kind[0].upper() + kind[1:], *parts])}."


def _first(names: list[str]) -> str:
    some = list(dict.fromkeys(names))
    return ", ".join(some[:FIRST]) + (" and more" if len(some) > FIRST else "")


def describe(known: Catalogue, key: str) -> dict[str, Any]:
    """What is known of a molecule: its record, its cells and receptors, what is reported of it, and
    rows of the numbers that a simulation takes."""
    rows = []
    for path, number in known.numbers():
        if key in path.split(".")[0].split(":") or f".binds.{key}." in path:
            span = f"{number.low:g}-{number.high:g}" if number.has_range else ""
            backing = known.cited(number.source).cite if number.source else number.why
            row = {"number": path, "value": number.text, "range": span, "origin": number.origin}
            rows.append({**row, "source or reason": backing})
    fields = {"name", "kind", "about", "aliases", "family", "tags", "subunits"}
    molecule = known.molecules[key]
    genes = [known.genes[symbol] for symbol in molecule.subunits if symbol in known.genes]
    columns = ("hgnc", "uniprot", "leader", "mature")
    ids = {column: [getattr(gene, column) for gene in genes] for column in columns}
    told = {
        "about": summary(known, key),
        "inflammation": molecule.balance or balance(molecule),
        "made_by": list(dict.fromkeys(fact.cell for fact in molecule.made_by)),
        "acts_on": list(dict.fromkeys(fact.cell for fact, _ in actions(molecule))),
        "receptors": [*receptors_of(known, key)],
        "reported": [{**r.model_dump(), "unit": r.unit} for r in molecule.reported],
    }
    return {"key": key, **molecule.model_dump(include=fields), **ids, **told, "numbers": rows}


def search(known: Catalogue, text: str) -> list[Row]:
    """Every molecule, receptor, cell type or gene whose names or description hold the text."""
    rows, wanted = [], normal(text)
    entries: list[tuple[str, str, str, tuple[str, ...]]] = [
        *((m.kind, k, m.name, (m.about, *m.aliases)) for k, m in known.molecules.items()),
        *(("receptor", k, r.name, (r.about, *r.chains)) for k, r in known.receptors.items()),
        *(("cell type", k, c.label, (c.id, *c.aliases)) for k, c in known.cells.items()),
        *(("gene", k, g.name, g.aliases) for k, g in known.genes.items()),
    ]
    for kind, key, name, more in entries:
        if any(wanted in normal(part) for part in (key, name, *more)):
            rows.append({"kind": kind, "key": key, "name": name})
    return rows


def makers(known: Catalogue, cell: str) -> list[Row]:
    """What a cell type, or a kind of it, makes, and on what stimulus."""
    kinds = known.kinds_of(known.find_cell(cell))
    return [
        {"cytokine": key, "cell": fact.cell, "on": fact.on, **backing(fact)}
        for key, molecule in known.molecules.items()
        for fact in molecule.made_by
        if fact.cell in kinds
    ]


def hearers(known: Catalogue, cell: str) -> list[Row]:
    """What acts on a cell type, or on a kind of it, and what that does."""
    kinds = known.kinds_of(known.find_cell(cell))
    return [
        {"cytokine": key, "cell": fact.cell, "what": what, **backing(fact)}
        for key, molecule in known.molecules.items()
        for fact, what in actions(molecule)
        if fact.cell in kinds
    ]


def actions(molecule: Molecule) -> Iterator[tuple[Any, str]]:
    """Every target, effect and gene of a molecule with what is said of it in words."""
    for target in molecule.acts_on:
        yield target, target.when
    for change in (*molecule.effects, *molecule.genes):
        yield change, change.said


def balance(molecule: Molecule) -> Label | None:
    """Whether what a molecule does promotes inflammation, restrains it, or both, by its effects."""
    labels = {effect.counts_as for effect in molecule.effects if effect.counts_as}
    return labels.pop() if len(labels) == 1 else "dual" if labels else None


def backing(fact: Fact) -> Row:
    """Where a fact comes from, of which species where that is not man, and of which class where
    not of the molecule alone."""
    return {
        "species": fact.species,
        "said of": fact.said_of,
        "origin": fact.origin,
        "source": ", ".join(fact.source) or fact.why,
    }


def receptors_of(known: Catalogue, molecule: str) -> dict[str, Receptor]:
    """Every receptor that binds a molecule, free or in a complex with others."""
    return {
        key: receptor
        for key, receptor in known.receptors.items()
        if any(molecule in known.contents(ligand) for ligand in receptor.binds)
    }


def signalling_receptors(known: Catalogue, molecule: str) -> dict[str, Receptor]:
    """Every receptor in which a molecule by itself raises a signal."""
    return {
        key: receptor
        for key, receptor in known.receptors.items()
        if molecule in receptor.binds and receptor.binds[molecule].effect == "signal"
    }


def path(known: Catalogue, name: str, cell: str = "") -> list[Row]:
    """From a molecule to genes: receptors with their chains, kinases, factors, what stops them, and
    the genes and read-outs that it changes, with signs (in a cell type, where one is named)."""
    key = known.find(name)
    kinds = known.kinds_of(known.find_cell(cell)) if cell else set(known.cells)
    rows = []
    for receptor_key, receptor in receptors_of(known, key).items():
        source = ", ".join(receptor.source)
        steps = {
            "receptor": (f"{receptor_key} ({receptor.kind}): {' + '.join(receptor.chains)}", ""),
            "kinases": (", ".join(receptor.kinases), "+"),
            "factors": (", ".join(receptor.factors), "+"),
            "feedback": (", ".join(receptor.feedback), "-"),
        }
        rows += [
            {"step": step, "sign": sign, "what": what, "in": "", "when": "", "source": source}
            for step, (what, sign) in steps.items()
            if what
        ]
    molecule = known.molecules[key]
    for fact in (*molecule.effects, *molecule.genes):
        if fact.cell in kinds:
            step = "effect" if isinstance(fact, Effect) else "gene"
            row = {"step": step, "sign": fact.sign, "what": fact.what, "in": fact.cell}
            rows.append({**row, "when": fact.when, **backing(fact)})
    return rows


def pleiotropy(known: Catalogue) -> list[Row]:
    """How many cell types make each cytokine, and on how many it acts in how many ways."""
    rows = []
    for key, molecule in _cytokines(known).items():
        targets = {fact.cell for fact, _ in actions(molecule)}
        if molecule.made_by or targets:
            made = {fact.cell for fact in molecule.made_by}
            effects = len(molecule.effects) + len(molecule.genes)
            row = {"cytokine": key, "made by": len(made), "acts on": len(targets)}
            rows.append({**row, "effects and genes": effects})
    return sorted(rows, key=lambda row: (-row["acts on"], -row["made by"], row["cytokine"]))


def redundancy(known: Catalogue, name: str = "") -> list[Row]:
    """Pairs of cytokines (of one with others, where it is named) with something in common: receptor
    chains that signal, transcription factors, or the same change of the same thing in a cell."""
    wanted = known.find(name) if name else ""
    shared: dict[str, dict[str, set[str]]] = {}
    for key, molecule in _cytokines(known).items():
        signals = signalling_receptors(known, key).values()
        shared[key] = {
            "chains": {chain for r in signals for chain in r.chains},
            "factors": {factor for r in signals for factor in r.factors},
            "effects": {
                f"{change.sign} {change.what} in {change.cell}"
                for change in (*molecule.effects, *molecule.genes)
            },
        }
    rows = []
    for a, b in combinations(shared, 2):
        common = {part: sorted(shared[a][part] & shared[b][part]) for part in shared[a]}
        if (common["chains"] or common["effects"]) and (not wanted or wanted in (a, b)):
            joined = {part: ", ".join(found) for part, found in common.items()}
            rows.append({"cytokines": f"{a}, {b}", **joined})
    return rows


def _cytokines(known: Catalogue) -> dict[str, Molecule]:
    return {key: m for key, m in known.molecules.items() if m.kind in CYTOKINES}


def group(known: Catalogue, name: str) -> dict[str, Molecule]:
    """The cytokines of a group: `cytokines`, or those with a tag or of a family, in the plural."""
    every = _cytokines(known)
    wanted = normal(name).removesuffix("s")
    if wanted == "cytokine":
        return every
    names = sorted({part for m in every.values() for part in (*m.tags, m.family) if part})
    for known_name in names:
        if normal(known_name) == wanted:
            return {k: m for k, m in every.items() if known_name in (*m.tags, m.family)}
    rule = "no group of cytokines has this name."
    raise wrong(name, rule, nearest(name, ["cytokines", *(f"{n}s" for n in names)]))


def unknowns(known: Catalogue) -> list[Row]:
    """Every number that is needed to simulate and that nobody was seen to have measured, and what
    was searched in vain."""
    rows = [
        {"what": where, "searched": number.why}
        for where, number in known.numbers()
        if number.value == "unknown"
    ]
    for key, molecule in known.molecules.items():
        rows += [{"what": f"{key}: {what}", "searched": s} for what, s in molecule.searched.items()]
    return rows


def sources(known: Catalogue) -> list[Row]:
    """Every source with how many numbers and facts stand on it, the most used first."""
    used = Counter(key for _, key in citations(known))
    rows = []
    for key, count in sorted(used.items(), key=lambda pair: (-pair[1], pair[0])):
        found = known.cited(key)
        rows.append({"source": key, "backs": count, "cite": found.cite, "link": found.link})
    return rows
