"""The command line. Exit codes: 0 done; 2 bad input; 3 the numbers failed; 130/143 stopped."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polycrine.cli import biomarkers, catalogue, plate, sbml, synergy
from polycrine.cli.tables import Json, show

if TYPE_CHECKING:
    from polycrine.results.run import Run
    from polycrine.runs.run import Watch

app = typer.Typer(add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False)
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(sbml.app, name="sbml")
PLAIN_LINE_S = 10.0

NameOrFile = Annotated[str, typer.Argument(help="A scenario's name, or a model file (.yaml).")]
Arm = Annotated[
    list[str] | None, typer.Option("--arm", help="An arm to run; repeat it, or 'all' together.")
]
Without = Annotated[
    list[str] | None,
    typer.Option("--knock-out", help="A gene product; repeat it: each alone, and each two."),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the model: events.LPS.dose='1 ng/kg', run.for=12h."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the run.")]
Duration = Annotated[str | None, typer.Option("--for", help="How long, such as 12h.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run; it must not exist yet.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]

WELCOME = """\
polycrine simulates cytokine signalling from one secreting cell to the blood test.
  polycrine run infection        bacteria in a lung, cells that answer, and the blood that tells
  polycrine scenarios            what else is ready to run
  polycrine new my-model.yaml    a small model of your own to change
polycrine --help lists every command."""


def main() -> None:
    """Entry point: runs a command, prints problems on stderr, exits with the code of the error."""
    from polycrine.errors import PolycrineError

    try:
        app(standalone_mode=True)
    except PolycrineError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)


@app.callback(invoke_without_command=True)
def welcome(context: typer.Context) -> None:
    """Simulate cytokine signalling from one secreting cell to the blood test."""
    if context.invoked_subcommand is None:
        typer.echo(WELCOME)


@app.command()
def run(
    model: NameOrFile,
    arm: Arm = None,
    knock_out: Without = None,
    set_: Setting = None,
    seed: Seed = None,
    duration: Duration = None,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a scenario or a model file, write its folder and its report."""
    from polycrine.model.observations import UNTREATED
    from polycrine.runs.run import choose_samples, new_folder
    from polycrine.runs.run import run as run_model
    from polycrine.scenarios.library import load

    declared = load(model, set_ or [])
    wanted = arm[0] if arm is not None and len(arm) == 1 else arm
    if knock_out:
        known = {*declared.arms}
        declared = declared.with_knock_outs(knock_out)
        wanted = [*(arm or [UNTREATED]), *(name for name in declared.arms if name not in known)]
    folder = out or new_folder(declared, choose_samples(declared, wanted))
    with _watching(quiet) as watch:
        done = run_model(declared, wanted, seed=seed, duration=duration, out=folder, watch=watch)
    _conclude(done, as_json)
    if not as_json and len(done.samples) == 1 and declared.arms:
        typer.echo(f"Next: polycrine run {model} --arm all")


@app.command()
def resume(
    folder: RunFolder,
    duration: Duration = None,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Finish an interrupted run, or carry a finished one on with --for."""
    from polycrine.runs.run import resume as resume_run

    with _watching(quiet) as watch:
        done = resume_run(folder, duration, out, watch)
    _conclude(done, as_json)


@app.command()
def sweep(
    plan: Annotated[str, typer.Argument(help="A sweep's name, or a plan file (.yaml).")],
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run every member of a plan once: virtual patients, doses, numbers; again to go on."""
    from polycrine.report.sweep import write_sweep_report
    from polycrine.runs.sweep import new_sweep_folder
    from polycrine.runs.sweep import sweep as run_sweep
    from polycrine.scenarios.library import load_plan

    declared, model, document = load_plan(plan)
    folder = out or new_sweep_folder(declared, model)
    with _watching(quiet) as watch:
        done = run_sweep(declared, model, folder, document=document, watch=watch)
    page = write_sweep_report(done)
    status = done.info["status"]
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "report": str(page), "status": status}))
        return
    show([{"members": str(count), "status": name} for name, count in status.items()])
    typer.echo(f"Report: {page}")


@app.command()
def check(model: NameOrFile, set_: Setting = None, as_json: Json = False) -> None:
    """Say what is wrong with a model file, or what it consists of; nothing runs."""
    from polycrine.network.places import to_network
    from polycrine.runs.tables import numbers
    from polycrine.scenarios.library import load

    declared = load(model, set_ or [])
    network = to_network(declared)
    origins = numbers(declared, network).origin.value_counts().to_dict()
    counts = {"variables": len(network.species), "reactions": len(network.reactions)}
    counts |= {f"numbers {origin}": count for origin, count in origins.items()}
    if not as_json:
        typer.echo(f"{declared.name}: nothing is wrong.")
    show([counts], as_json)


@app.command()
def new(file: Annotated[Path, typer.Argument(help="The model file to write.")]) -> None:
    """Write a small commented model to start from."""
    from polycrine.errors import wrong
    from polycrine.scenarios.library import template

    if file.exists():
        raise wrong(str(file), "this file is already there.", "Name another one.")
    file.write_text(template(), "utf-8")
    typer.echo(f"Wrote {file}. Try: polycrine run {file}")


@app.command()
def scenarios(as_json: Json = False) -> None:
    """List the scenarios and sweeps that are ready to run."""
    from polycrine.scenarios.library import load, plan_names, scenario_names

    models = [(name, load(name)) for name in scenario_names()]
    keys = ("name", "about", "arms")
    rows = [(name, model.about, ", ".join(model.arms)) for name, model in models]
    show([dict(zip(keys, row, strict=True)) for row in rows], as_json)
    if not as_json:
        typer.echo(f"polycrine sweep: {', '.join(plan_names())}")


@app.command()
def cite(model: NameOrFile, set_: Setting = None, as_json: Json = False) -> None:
    """Print the bibliography behind a model's numbers."""
    from polycrine.catalogue.library import catalogue as load_catalogue
    from polycrine.network.places import to_network
    from polycrine.network.tissue import parameters_of
    from polycrine.scenarios.library import load

    declared = load(model, set_ or [])
    parameters = parameters_of(declared, to_network(declared))
    numbers = [parameter.number for parameter in parameters if parameter.number]
    keys = sorted({number.source for number in numbers if number.source})
    cited = [load_catalogue().sources[key] for key in keys]
    show([{"cite": source.cite, "link": source.link} for source in cited], as_json)


@app.command()
def panel(
    folder: RunFolder,
    assay: Annotated[str, typer.Option(help="What it sees: total, free or complexed.")] = "total",
    as_json: Json = False,
) -> None:
    """Print the cytokine panel of a finished run over time."""
    from polycrine.errors import nearest, wrong
    from polycrine.results.run import load_run

    done = load_run(folder)
    table = done.panel(assay)
    if not len(table):
        known = set(done.tables["panel"].get("assay", ["total"]))
        raise wrong(f"--assay {assay}", "this run has no such panel.", nearest(assay, known))
    if as_json:
        typer.echo(table.to_json(orient="records", double_precision=10))
        return
    for (sample, place), group in table.groupby(["sample", "place"], sort=False):
        typer.echo(f"{sample}, {place}")
        named = group.assign(analyte=group.analyte + " " + group.unit)
        wide = named.pivot_table(index="time_h", columns="analyte", values="value", sort=False)
        rows = wide.iloc[:: max(1, len(wide) // 24)].reset_index().to_dict("records")
        show([{key: f"{value:.3g}" for key, value in row.items()} for row in rows])


for verb in (plate.plate, synergy.synergy, biomarkers.biomarkers):
    app.command()(verb)


def _conclude(done: Run, as_json: bool) -> None:
    """Write the report; print peaks beside measured ones and the report's path."""
    from polycrine.model.yamlfile import read_model
    from polycrine.readouts.comparison import beside_measured
    from polycrine.report.page import write_report
    from polycrine.scenarios.library import measured_beside

    page = write_report(done)
    model = read_model(done.model_text, "model.resolved.yaml")
    table = beside_measured(done.panel(), measured_beside(model, done.samples[0]))
    if as_json:
        rows = json.loads(table.to_json(orient="records", double_precision=10))
        typer.echo(json.dumps({"folder": str(done.folder), "report": str(page), "peaks": rows}))
        return
    if table.place.nunique() > 1:
        table["analyte"] += " in " + table.place
    if len(done.samples) > 1:
        table = table.assign(analyte=table.analyte + " " + table.unit)
        wide = table.pivot_table(index="analyte", columns="sample", values="peak", sort=False)
        show(wide.map("{:.4g}".format).reset_index().to_dict("records"))
    else:
        show([_peak(row) for row in table.itertuples()])
    typer.echo(f"Report: {page}")


def _peak(row: Any) -> dict[str, str]:
    cells = {"": row.analyte, "predicted peak": f"{row.peak:.4g} {row.unit}"}
    cells["at"] = f"{row.peak_h:.2f} h"
    if row.measured_peak == row.measured_peak:
        quartiles = f"({row.measured_lower:.3g}-{row.measured_upper:.3g})"
        cells["measured median (quartiles)"] = f"{row.measured_peak:.3g} {quartiles}"
        cells["measured at"] = f"{row.measured_peak_h:g} h"
        cells["predicted / measured"] = "" if row.ratio != row.ratio else f"{row.ratio:.2f}"
    return cells


@contextmanager
def _watching(quiet: bool) -> Iterator[Watch]:
    """Progress on stderr, and interrupts that ask the run to stop at its next checkpoint."""
    from polycrine.runs.run import Stopped, Watch

    received: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {s: signal.signal(s, lambda number, _: received.append(number)) for s in signals}
    try:
        with _progress(quiet) as report:
            yield Watch(report, lambda: bool(received))
    except Stopped as stopped:
        stopped.exit_code = 128 + received[0]
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """A bar with time left at a terminal; else a plain line every 10 s; nothing when quiet."""
    if sys.stderr.isatty() and not quiet:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("starting", total=1.0)
            yield lambda share, text: bar.update(task, completed=share, description=text)
        return
    last = time.monotonic()

    began = last

    def plain(share: float, text: str) -> None:
        nonlocal last
        if text.startswith("compiling") or time.monotonic() - last >= PLAIN_LINE_S:
            last = time.monotonic()
            left = f", about {(last - began) * (1 / share - 1):.0f} s left" if share > 0 else ""
            typer.echo(f"{100 * share:.0f} %  {text}{left}", err=True)

    yield (lambda share, text: None) if quiet else plain
