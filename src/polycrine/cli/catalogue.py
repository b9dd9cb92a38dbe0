"""`polycrine catalogue`: what is known, asked from the command line."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from polycrine.cli.tables import Json, show

SHOWN = 8  # entries that a table names

app = typer.Typer(no_args_is_help=True, help="Ask what is known of cytokines, with sources.")

Name = Annotated[str, typer.Argument(help="A molecule, by any of its names.")]
CellType = Annotated[str, typer.Argument(help="A cell type, by any of its names.")]
Group = Annotated[str, typer.Argument(help="cytokines, interleukins, chemokines, ...")]


@app.command("list")
def every(as_json: Json = False) -> None:
    """List every molecule."""
    from polycrine.catalogue import library, questions

    known = library.catalogue()
    show(
        [
            {"key": key, "name": m.name, "kind": m.kind, "about": questions.summary(known, key)}
            for key, m in known.molecules.items()
        ],
        as_json,
    )


@app.command("show")
def molecule(name: Name, as_json: Json = False) -> None:
    """Show one molecule with its numbers and sources."""
    from polycrine.catalogue.library import catalogue
    from polycrine.catalogue.questions import describe

    facts = describe(catalogue(), catalogue().find(name))
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(f"{facts['key']} ({facts['name']}), {facts['kind']}. {facts['about']}")
    typer.echo(f"family: {facts['family'] or '-'}; {', '.join(facts['tags'])}")
    typer.echo(f"inflammation: {facts['inflammation'] or 'unknown'}, summed up from its effects")
    typer.echo(f"also called: {', '.join(facts['aliases']) or '-'}")
    chains = [
        {"subunit": symbol, "copies": copies}
        | {column: facts[column][k] for column in ("hgnc", "uniprot", "leader", "mature")}
        for k, (symbol, copies) in enumerate(facts["subunits"].items())
        if k < len(facts["hgnc"])
    ]
    show(chains)
    for part in ("made_by", "acts_on", "receptors"):
        typer.echo(f"{part.replace('_', ' ')}: {', '.join(facts[part]) or 'unknown'}")
    show(facts["numbers"])
    columns = ("quantity", "of", "value", "unit", "printed", "source")
    show([{column: report[column] for column in columns} for report in facts["reported"]])


@app.command()
def search(text: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """Find molecules, receptors, cell types and genes by a part of a name."""
    from polycrine.catalogue import library, questions

    show(questions.search(library.catalogue(), text), as_json)


@app.command("from")
def made_by(cell: CellType, as_json: Json = False) -> None:
    """What a cell type makes, and on what stimulus."""
    from polycrine.catalogue import library, questions

    show(questions.makers(library.catalogue(), cell), as_json)


@app.command("to")
def heard_by(cell: CellType, as_json: Json = False) -> None:
    """What acts on a cell type, and what that does."""
    from polycrine.catalogue import library, questions

    show(questions.hearers(library.catalogue(), cell), as_json)


@app.command()
def path(
    name: Name,
    cell: Annotated[str, typer.Option("--in", help="Only genes and effects in this cell.")] = "",
    as_json: Json = False,
) -> None:
    """From a molecule over receptor, kinase and factor to genes, with signs."""
    from polycrine.catalogue import library, questions

    show(questions.path(library.catalogue(), name, cell), as_json)


@app.command()
def reach(name: Name, as_json: Json = False) -> None:
    """How far it gets in tissue, and whether blood carries enough of it to be heard."""
    from polycrine.catalogue.library import catalogue
    from polycrine.network.reach import reach as reach_of

    show(reach_of(catalogue(), name), as_json)


@app.command()
def compare(first: Group, second: Group, as_json: Json = False) -> None:
    """What two groups of cytokines share, and how they differ; --json names every entry."""
    from polycrine.catalogue import comparison, library

    rows = comparison.compare(library.catalogue(), first, second)
    if as_json:
        show(rows, as_json)
        return
    for row in rows:
        typer.echo(f"\n{row['question']}\n{row['answer']}")
        parts = {part: None for counted in row["counted"].values() for part in counted}
        table = [
            {"": part, **{name: _entries(of.get(part, [])) for name, of in row["counted"].items()}}
            for part in parts
        ]
        if table:
            show(table)


def _entries(keys: list[str]) -> str:
    named = ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
    return f"{len(keys)}: {named}" if keys else "0"


@app.command()
def pleiotropy(as_json: Json = False) -> None:
    """How many cell types make each cytokine, and on how many it acts."""
    from polycrine.catalogue import library, questions

    show(questions.pleiotropy(library.catalogue()), as_json)


@app.command()
def redundancy(
    name: Annotated[str, typer.Argument(help="Only pairs with this molecule.")] = "",
    as_json: Json = False,
) -> None:
    """Which cytokines share receptor chains, factors or effects."""
    from polycrine.catalogue import library, questions

    show(questions.redundancy(library.catalogue(), name), as_json)


@app.command()
def unknowns(as_json: Json = False) -> None:
    """Every number that is needed and that nobody was seen to have measured."""
    from polycrine.catalogue import library, questions

    show(questions.unknowns(library.catalogue()), as_json)


@app.command()
def sources(as_json: Json = False) -> None:
    """Every source, with how many facts stand on it."""
    from polycrine.catalogue import library, questions

    show(questions.sources(library.catalogue()), as_json)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; it is made.")],
) -> None:
    """Write everything as CSV tables, and as a graph in GML."""
    from polycrine.catalogue import library
    from polycrine.catalogue.export import write_csv, write_gml

    files = write_csv(library.catalogue(), folder)
    write_gml(library.catalogue(), folder / "graph.gml")
    for file in (*files, folder / "graph.gml"):
        typer.echo(file)


@app.command()
def site(folder: Annotated[Path, typer.Argument(help="Folder for the pages; it is made.")]) -> None:
    """Render static pages, one a cytokine, each with a drawing."""
    from polycrine.catalogue.library import catalogue
    from polycrine.report.site import write_site

    typer.echo(write_site(catalogue(), folder))


@app.command()
def statements(as_json: Json = False) -> None:
    """What popular texts say of cytokines, and whether it holds."""
    from polycrine.catalogue.library import catalogue

    told = [statement.model_dump(mode="json") for statement in catalogue().statements]
    if as_json:
        show(told, as_json)
        return
    for statement in catalogue().statements:
        typer.echo(f"{statement.says}\n  {statement.verdict}: {statement.because}")
        typer.echo(f"  see {', '.join(statement.entries)}; {', '.join(statement.source)}\n")


@app.command()
def check(
    against: Annotated[
        Path | None,
        typer.Option(help="CSV of ligand, receptor_subunit, n_resources: what others list."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Count what is there, recompute every conversion, and say what is wrong or missing."""
    from polycrine.catalogue import check as checks
    from polycrine.catalogue import library
    from polycrine.errors import InputError

    known = library.catalogue()
    if against is not None:
        rows = checks.against(known, against)
        show([row for row in rows if as_json or row["found"] == "missing"], as_json)
        if not as_json:
            found = Counter(row["found"] for row in rows)
            typer.echo(f"{len(rows)} pairs: {', '.join(f'{n} {how}' for how, n in found.items())}")
        return
    counts = checks.counts(known)
    show([{"what": what, "count": count} for what, count in counts.items()], as_json)
    if problems := checks.problems(known):
        raise InputError(problems)
