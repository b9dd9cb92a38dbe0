"""A run as it is kept: states over time, tables, and the text of what was run.

Folder (format 1): `run.json`, `model.resolved.yaml`, `panel.csv`, `reads.csv`, `ledger.csv`,
`numbers.csv`, `states.zarr` (every variable at every observed time), with a tissue `tissue.zarr`
(fields and cells), `routes.csv` and `senders.csv`, `checkpoints/`, `figures/`, `report.html`,
`log.jsonl`. Nothing in it is overwritten; an unfinished run is `NAME.partial`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from polycrine.errors import wrong

FORMAT = 1
TABLES = ("panel", "reads", "ledger", "numbers")
TISSUE_TABLES = ("routes", "senders")


@dataclass(frozen=True)
class Run:
    """One run of one or more arms (`sample`), in memory or read from its folder.

    states: dataset with `value` over sample, time (min) and species; `unit` and `contents` are
    coordinates of species. tissue: pictures of fields (pM; sample, frame, fluid, z, y, x) and rows
    of cells, read when they are used. info: versions, seed, status and step counts, as in run.json.
    """

    info: dict[str, Any]
    model_text: str
    states: xr.Dataset
    tables: dict[str, pd.DataFrame]
    folder: Path | None = None
    tissue: xr.Dataset | None = None

    @property
    def samples(self) -> list[str]:
        """The arms that were run, the first one being what others are compared with."""
        return [str(name) for name in self.states.sample.values]

    def panel(self, assay: str = "total") -> pd.DataFrame:
        """The cytokine panel of an assay: sample, time_h, place, analyte, value, unit, flag."""
        table = self.tables["panel"]
        if "assay" not in table:  # as older versions wrote it
            return table
        return table[table.assay == assay].drop(columns="assay").reset_index(drop=True)

    def reads(self) -> pd.DataFrame:
        """Inner signals and cell counts: sample, time_h, cell, species, value, unit."""
        return self.tables["reads"]

    def ledger(self) -> pd.DataFrame:
        """Where each molecule came from and went: sample, molecule, process, pmol."""
        return self.tables["ledger"]

    def routes(self) -> pd.DataFrame:
        """Who captured what of whom since the start: sample, time_h, molecule, sender, receiver,
        pmol in all that the piece represents; empty without a tissue."""
        return self.tables.get("routes", pd.DataFrame())

    def numbers(self) -> pd.DataFrame:
        """Every number behind the run: path, value, unit, low, high, origin, source, context."""
        return self.tables["numbers"]

    def save(self, folder: Path) -> Run:
        """Write into a folder that exists and holds none of these files yet."""
        info = json.dumps({"format": FORMAT, **self.info}, indent=2, ensure_ascii=False)
        (folder / "run.json").write_text(info + "\n", "utf-8")
        (folder / "model.resolved.yaml").write_text(self.model_text, "utf-8")
        for name in self.tables:
            self.tables[name].to_csv(folder / f"{name}.csv", index=False, float_format="%.10g")
        self.states.to_zarr(folder / "states.zarr", mode="w-", consolidated=False)
        if self.tissue is not None:
            self.tissue.to_zarr(folder / "tissue.zarr", mode="w-", consolidated=False)
        return replace(self, folder=folder)


def load_run(folder: str | Path) -> Run:
    """A finished run from its folder; raises InputError when it is none, or of a newer format."""
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise wrong(str(folder), "this is no finished run.", "Name a folder with run.json.")
    info = json.loads((folder / "run.json").read_text("utf-8"))
    if info.pop("format") > FORMAT:
        raise wrong(str(folder), "a newer polycrine wrote this.", "Install that version.")
    tables = {
        name: pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=["nan"])
        for name in (*TABLES, *TISSUE_TABLES)
        if name in TABLES or (folder / f"{name}.csv").is_file()
    }
    states = xr.open_zarr(folder / "states.zarr", consolidated=False)
    text = (folder / "model.resolved.yaml").read_text("utf-8")
    tissue = None
    if (folder / "tissue.zarr").is_dir():
        tissue = xr.open_zarr(folder / "tissue.zarr", consolidated=False)
    return Run(info, text, states, tables, folder, tissue)
