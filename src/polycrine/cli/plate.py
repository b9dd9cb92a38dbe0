"""`polycrine plate`: a laboratory's file in, a panel with flags out."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from polycrine.cli.tables import Json, show


def plate(
    file: Annotated[Path, typer.Argument(help="xPONENT's CSV, a tidy table, or Olink's NPX.")],
    out: Annotated[Path, typer.Option(help="The panel (.csv); it must not exist yet.")],
    layout: Annotated[
        Path | None, typer.Option(help="A table by well or sample: concentration, subject, time_h.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="The page (.html); beside the panel if not named.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a plate: standard curves, limits of quantification, concentrations with their flags."""
    from polycrine.errors import wrong
    from polycrine.laboratory.quantify import read_results
    from polycrine.report.plate import curve_table, headline, write_plate_page

    page = report or out.with_suffix(".html")
    for target in (out, page):
        if target.exists():
            raise wrong(str(target), "this file is already there.", "Name another one.")
    found = read_results(file, layout)
    found.panel.to_csv(out, index=False, float_format="%.6g")
    if found.plates:
        write_plate_page(found, file.name, page)
    tables = [
        curve_table(curves, plate.units).assign(plate=plate.name) for plate, curves in found.plates
    ]
    curves = [row for table in tables for row in table.to_dict("records")]
    if as_json:
        told: dict[str, Any] = {"panel": str(out), "report": str(page) if found.plates else None}
        told |= {"values": len(found.panel), "flags": found.panel.flag.value_counts().to_dict()}
        typer.echo(
            json.dumps(told | {"curves": curves, "notices": found.notices}, ensure_ascii=False)
        )
        return
    show(curves)
    for notice in found.notices:
        typer.echo(f"Note: {notice}")
    typer.echo(f"Wrote {out}: {headline(found.panel)}")
    if found.plates:
        typer.echo(f"Report: {page}")
