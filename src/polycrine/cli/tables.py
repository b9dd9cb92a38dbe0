"""Tables on the terminal, or the same rows as JSON."""

import json
import sys
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]


def show(rows: list[dict[str, Any]], as_json: bool = False) -> None:
    """Print rows of the same kind as a table, without columns that are empty, or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    every = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in every if any(row.get(name, "") != "" for row in rows)]
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in names))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)
