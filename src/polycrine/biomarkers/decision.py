"""Whether it is better to act on a predicted risk than on everyone or on nobody."""

import numpy as np
import pandas as pd

from polycrine.biomarkers.cohort import Bools, Floats

THRESHOLDS = np.arange(1, 100) / 100


def net_benefit(
    probability: Floats, is_case: Bools, thresholds: Floats = THRESHOLDS
) -> pd.DataFrame:
    """Net benefit per person of treating at or above each threshold risk: threshold, model,
    treat_all, treat_none.

    True positives less false positives, each weighed by the odds of the threshold, over all people
    (Vickers and Elkin 2006, Medical Decision Making, as given by Vickers et al. 2019, Diagnostic
    and Prognostic Research 3:18). It holds at the cohort's own share of cases.
    """
    odds = thresholds / (1 - thresholds)
    treated = probability >= thresholds[:, None]
    right, wrong = (treated & is_case).mean(axis=1), (treated & ~is_case).mean(axis=1)
    everyone = is_case.mean() - (1 - is_case.mean()) * odds
    columns = {"threshold": thresholds, "model": right - wrong * odds, "treat_all": everyone}
    return pd.DataFrame(columns | {"treat_none": 0.0})
