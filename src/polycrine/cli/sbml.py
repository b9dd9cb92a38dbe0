"""`polycrine sbml`: models that others published, run as they stand; ours, written for others."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from polycrine.cli.tables import Json, show

app = typer.Typer(no_args_is_help=True, help="Run models in SBML, and write ours as SBML.")

File = Annotated[Path, typer.Argument(help="A model in SBML (levels 1 to 3, core).")]


@app.command()
def run(
    file: File,
    end: Annotated[float, typer.Option(help="The last time, in the model's own unit.")],
    points: Annotated[int, typer.Option(help="Rows, both ends included.")],
    out: Annotated[Path, typer.Option(help="The CSV file; it must not exist yet.")],
    rtol: Annotated[float, typer.Option(help="Relative tolerance of a step.")] = 1e-7,
    atol: Annotated[float, typer.Option(help="Absolute one, of each variable's size.")] = 1e-9,
    amounts: Annotated[bool, typer.Option(help="Species as amounts, not concentrations.")] = False,
) -> None:
    """Run a model from time 0: time, species by id, then every other symbol that changes."""
    from polycrine.network.sbml import read_sbml
    from polycrine.runs.sbml import Accuracy, refuse_senseless, trajectory

    accuracy = Accuracy(rtol, atol)
    refuse_senseless(end, points, accuracy, out)
    found = trajectory(read_sbml(file), end, points, accuracy, amounts)
    with out.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(found)
        writer.writerows(zip(*(column.tolist() for column in found.values()), strict=True))
    typer.echo(f"Wrote {out}: {points} rows of {len(found) - 1} symbols over time.")


@app.command()
def check(file: File, as_json: Json = False) -> None:
    """Say what of a model is not carried and where, or what it consists of; nothing runs."""
    from polycrine.network.conserved import conserved_sums, written
    from polycrine.network.sbml import read_sbml

    model = read_sbml(file)
    if not as_json:
        events = len(model.network.events)
        typer.echo(f"{model.name}: nothing is wrong; {events} event{'s' * (events != 1)}.")
        for one in conserved_sums(model.network):
            typer.echo(f"conserved: {written(one)}")
    show(
        [
            {"id": q.id, "name": q.name, "kind": q.kind, "changes": "yes" if q.changes else "no"}
            for q in sorted(model.quantities, key=lambda q: q.kind == "reaction")
        ],
        as_json,
    )


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="A scenario's name, or a model file (.yaml).")],
    out: Annotated[Path, typer.Option(help="The SBML file; it must not exist yet.")],
    arm: Annotated[str | None, typer.Option(help="An arm of it.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change the model.")] = None,
) -> None:
    """Write the stirred network of a scenario, its cells settled and its doses given, as SBML."""
    from polycrine.errors import wrong
    from polycrine.runs.export import to_sbml
    from polycrine.scenarios.library import load

    if out.exists():
        raise wrong(str(out), "this file is already there.", "Name another one.")
    out.write_text(to_sbml(load(model, set_ or []), arm), "utf-8")
    typer.echo(f"Wrote {out}. Try: polycrine sbml check {out}")
