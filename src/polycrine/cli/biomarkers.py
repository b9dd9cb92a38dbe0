"""`polycrine biomarkers`: what a cohort of panels says of its markers, the earliest above all."""

import json
from pathlib import Path
from typing import Annotated

import typer

from polycrine.cli.tables import Json, show


def biomarkers(
    cohort: Annotated[
        Path,
        typer.Argument(
            help="A CSV file: subject, group, time_h, analyte, value, unit, flag; with a column "
            "'origin' that says 'simulated' where people were simulated."
        ),
    ],
    cases: Annotated[
        str | None, typer.Option(help="The group to tell from others; else the first one.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="A group to compare with; repeat it. Else every other."),
    ] = None,
    bar: Annotated[float, typer.Option(help="The AUC that a marker must pass.")] = 0.8,
    specificity: Annotated[
        float, typer.Option(help="The specificity at which sensitivity is told.")
    ] = 0.9,
    at: Annotated[
        float | None,
        typer.Option(help="The hour for AUC, cut-offs, combination; else the nearest to 6 h."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of resampling and of folds.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; it must not exist yet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge the markers of a cohort: AUC, lead time, all combined; write tables and a page."""
    from polycrine.biomarkers.cohort import read_cohort
    from polycrine.errors import wrong

    try:
        from polycrine.biomarkers.claims import BANNER, ask, claims
        from polycrine.report.biomarkers import about, headline, lead_rows, write_biomarker_report
    except ImportError as error:
        instead = "Install them: pip install 'polycrine[lab]'."
        raise wrong("biomarkers", f"a package is missing: {error.name}.", instead) from error
    folder = out or Path(f"{cohort.stem}-biomarkers")
    if folder.exists():
        raise wrong(str(folder), "this folder is already there.", "Name another one with --out.")
    people = read_cohort(cohort)
    found = claims(people, ask(people, cases, against, at, bar, specificity, seed))
    page = write_biomarker_report(found, folder)
    if people.simulated:
        typer.echo(BANNER, err=as_json)
    if as_json:
        told = {
            "simulated": people.simulated,
            "warning": BANNER if people.simulated else "",
            "about": about(found),
            "told": found.told,
            "report": str(page),
            "lead_time": json.loads(found.lead_time.to_json(orient="records")),
            "markers": json.loads(found.markers.to_json(orient="records")),
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for sentence in (about(found), *found.told, headline(found)):
        typer.echo(sentence)
    show(lead_rows(found).to_dict("records"))
    typer.echo(f"Report: {page}")
