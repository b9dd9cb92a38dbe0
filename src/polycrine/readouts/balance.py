"""Pro- against anti-inflammatory: how far each side stands above health, and their difference."""

import numpy as np
import pandas as pd

from polycrine.catalogue.library import catalogue
from polycrine.readouts.panel import detection_limit

DEFINITION = (
    "For each analyte the log2 of its level over its level at time zero; the mean over those that"
    " the catalogue labels pro-inflammatory, the same for anti-inflammatory, and their difference."
)


def balance(panel: pd.DataFrame) -> pd.DataFrame:
    """sample, time_h, pro, anti, balance (log2; above zero: pro-inflammatory).

    Of a panel of one place; levels below the detection limit count as the limit. See DEFINITION.
    """
    labels = {key: molecule.balance for key, molecule in catalogue().molecules.items()}
    rows = panel.assign(side=panel.analyte.map(labels))
    rows = rows[rows.side.isin(["pro", "anti"])].copy()
    limits = {key: detection_limit(key) for key in rows.analyte.unique()}
    rows["level"] = np.maximum(rows.value.astype(float), rows.analyte.map(limits))
    first = rows.groupby(["sample", "analyte"])["level"].transform("first")
    rows["log2_fold"] = np.log2(rows.level / first)
    table = rows.pivot_table(
        index=["sample", "time_h"], columns="side", values="log2_fold", aggfunc="mean", sort=False
    )
    table = table.reindex(columns=["pro", "anti"]).reset_index()
    return table.assign(balance=table.pro - table.anti)
