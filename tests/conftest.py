import os
import tempfile

import pytest

os.environ.setdefault("POLYCRINE_CACHE", tempfile.mkdtemp(prefix="polycrine-tests-"))

import polycrine as pc


@pytest.fixture(scope="session")
def untreated():
    """The endotoxemia scenario as it stands, 12 h."""
    return pc.run(pc.load("endotoxemia"), duration="12 h")


@pytest.fixture(scope="session")
def arms():
    """Every arm of the endotoxemia scenario, 48 h."""
    return pc.run(pc.load("endotoxemia"), "all")
