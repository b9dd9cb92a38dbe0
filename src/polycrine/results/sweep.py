"""A sweep as it is kept: what was measured in every member over time, and one table of them all.

Folder (format 1): `plan.yaml`, `sweep.json`, `model.resolved.yaml`, `members.csv` (one row per
member, with its status), `bands.csv`, with sensitivity indices `indices.csv`, `report.html`,
`figures/`, and `members/` with the levels of each member. Until the last member is there the folder
is `NAME.partial`; each file of `members/` is written once, whole, under its final name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from polycrine.errors import wrong

FORMAT = 1


@dataclass(frozen=True)
class Sweep:
    """A finished sweep in its folder. info: versions, seed, arms, analytes, as in sweep.json."""

    info: dict[str, Any]
    folder: Path
    members: pd.DataFrame
    bands: pd.DataFrame
    indices: pd.DataFrame | None = None

    def levels(self) -> xr.Dataset:
        """What was measured: `value` over member, analyte (as `IL6 in blood`) and time (h)."""
        kept = np.concatenate([shard["levels"] for _, shard in shards(self.folder)])
        coords = {"member": np.arange(len(kept)), "analyte": self.info["analytes"]}
        coords |= {"time": self.info["time_h"]}
        units = {"units": dict(zip(self.info["analytes"], self.info["units"], strict=True))}
        return xr.Dataset({"value": (("member", "analyte", "time"), kept)}, coords, units)


def load_sweep(folder: Path) -> Sweep:
    """A finished sweep; raises InputError where there is none."""
    stored = folder / "sweep.json"
    if not stored.is_file():
        raise wrong(str(folder), "there is no finished sweep here.", "Name the folder of a sweep.")
    info = json.loads(stored.read_text("utf-8"))
    if info["format"] > FORMAT:
        raise wrong(str(folder), "this sweep was written by a newer polycrine.")
    members, bands = (pd.read_csv(folder / f"{name}.csv") for name in ("members", "bands"))
    bands = bands.fillna({"unit": ""})
    indices = folder / "indices.csv"
    found = pd.read_csv(indices) if indices.is_file() else None
    return Sweep(info, folder, members, bands, found)


def shards(folder: Path) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """What is kept of the members, in their order: the first one's number, and arrays by name."""
    for path in sorted((folder / "members").glob("*.npz")):
        yield int(path.stem), shard(folder, int(path.stem))


def shard(folder: Path, first: int) -> dict[str, NDArray[Any]]:
    """The piece of the members that begins with the patient (or point) `first`."""
    with np.load(_path(folder, first), allow_pickle=False) as file:
        return dict(file)


def has_shard(folder: Path, first: int) -> bool:
    """Whether the members from `first` on are kept."""
    return _path(folder, first).is_file()


def keep_shard(folder: Path, first: int, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a piece of the members whole or not at all."""
    scratch = folder / f"writing-{os.getpid()}.npz"
    with scratch.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(_path(folder, first))


def _path(folder: Path, first: int) -> Path:
    return folder / "members" / f"{first:08d}.npz"
