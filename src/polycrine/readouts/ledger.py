"""The books of molecules: what came in, what went out, what is left, and whether it adds up."""

import pandas as pd
import xarray as xr

from polycrine.readouts.panel import contents_of

SOURCES = ("at start", "given", "made", "shed", "spilled", "brought")
Books = dict[str, dict[str, float]]


def ledger(states: xr.Dataset) -> pd.DataFrame:
    """sample, molecule, process, pmol over the whole run, and its share of what came in.

    Processes: `at start`, `given`, `made by ...`; `taken up by ...`, `cleared from plasma`,
    `lost inside ...`; `left` (in fluids and on or in cells) and `error`, which is the difference.
    """
    start, end = states.value.values[:, 0, :], states.value.values[:, -1, :]
    held = states.pmol.broadcast_like(states.value).transpose(*states.value.dims).values
    contents = [contents_of(str(text)) for text in states.contents.values]
    columns = (states.species.values.tolist(), states.molecule.values.tolist(), contents)
    rows = []
    for s, sample in enumerate(states.sample.values):
        books: dict[str, dict[str, float]] = {}

        def book(molecule: str, process: str, pmol: float, books: Books = books) -> None:
            page = books.setdefault(molecule, {"at start": 0.0, "left": 0.0})
            page[process] = page.get(process, 0.0) + pmol

        for k, (name, booked, inside) in enumerate(zip(*columns, strict=True)):
            if name.startswith("ledger."):
                process = name.split(".")[2].replace("_", " ")
                book(booked, process, float(end[s, k]))
            first, last = held[s, 0, k] * start[s, k], held[s, -1, k] * end[s, k]
            for molecule, count in inside.items():
                book(molecule, "at start", count * float(first))
                book(molecule, "left", count * float(last))
        for molecule, page in books.items():
            page["error"] = sum(page.values()) - 2 * page["left"]
            came = sum(v for p, v in page.items() if p.startswith(SOURCES))
            for process, pmol in page.items():
                share = abs(pmol) / came if came else 0.0
                rows.append((sample, molecule, process, pmol, share))
    return pd.DataFrame(rows, columns=["sample", "molecule", "process", "pmol", "share"])
