"""The books of molecules: what came in, what went out, what is left, and whether it adds up."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from polycrine.readouts.panel import contents_of


def ledger(states: xr.Dataset) -> pd.DataFrame:
    """sample, molecule, process, pmol over the whole run, and its share of what came in.

    Processes: `at start`, `given`, `made by ...`; `taken up by ...`, `cleared from plasma`,
    `lost inside ...`; `left` (in fluids and on or in cells) and `error`, which is the difference.
    """
    names = [str(name) for name in states.species.values]
    start, end = states.value.values[:, 0, :], states.value.values[:, -1, :]
    rows = []
    for s, sample in enumerate(states.sample.values):
        books: dict[str, dict[str, float]] = {}
        for k, name in enumerate(names):
            parts = name.split(".")
            if parts[0] == "ledger":
                book = books.setdefault(str(states.molecule.values[k]), {})
                process = parts[2].replace("_", " ")
                book[process] = book.get(process, 0.0) + float(end[s, k])
            factor = float(states.pmol.values[s, k])
            for molecule, count in contents_of(states, k).items():
                book = books.setdefault(molecule, {})
                book["at start"] = book.get("at start", 0.0) + count * factor * float(start[s, k])
                book["left"] = book.get("left", 0.0) + count * factor * float(end[s, k])
        for molecule, book in books.items():
            flows = sum(
                value for process, value in book.items() if process not in ("at start", "left")
            )
            came = book.get("at start", 0.0) + sum(
                v for p, v in book.items() if p.startswith(("given", "made"))
            )
            book["error"] = book["at start"] + flows - book["left"]
            rows += [
                {
                    "sample": sample,
                    "molecule": molecule,
                    "process": process,
                    "pmol": value,
                    "share": abs(value) / came if came else 0.0,
                }
                for process, value in book.items()
            ]
    return pd.DataFrame(rows)
