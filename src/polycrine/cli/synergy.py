"""`polycrine synergy`: what agents do together beyond what each does alone."""

import json
from pathlib import Path
from typing import Annotated

import typer

from polycrine.cli.tables import Json, show

File = Annotated[Path, typer.Argument(help="A dose matrix (.csv), or the folder of a sweep.")]


def synergy(
    file: File,
    out: Annotated[Path | None, typer.Option(help="Folder; it must not exist yet.")] = None,
    response: Annotated[str | None, typer.Option(help="The column of the read-out.")] = None,
    full: Annotated[
        float | None, typer.Option(help="The response that counts as full effect.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 1,
    as_json: Json = False,
) -> None:
    """Score a dose matrix of two or three agents for synergy and antagonism."""
    from polycrine.errors import wrong
    from polycrine.report.synergy import headline, summary_rows, write_synergy_report
    from polycrine.synergy.matrix import read_matrix
    from polycrine.synergy.scores import score

    folder = out or Path("synergy") / (file.resolve().name if file.is_dir() else file.stem)
    if folder.exists():
        raise wrong(str(folder), "this folder is already there.", "Name another one with --out.")
    scores = score(read_matrix(file, response), full, seed)
    page = write_synergy_report(scores, folder)
    notes = [scores.normalisation, scores.intervals, *scores.notes]
    if as_json:
        rows = json.loads(scores.summary.to_json(orient="records", double_precision=10))
        told = {"folder": str(folder), "report": str(page), "notes": notes, "summary": rows}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    typer.echo(headline(scores))
    show(summary_rows(scores).to_dict("records"))
    for note in notes:
        typer.echo(note)
    typer.echo(f"Report: {page}")
