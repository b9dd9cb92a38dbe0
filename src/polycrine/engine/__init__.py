"""Time passes.

Compiled kernels are kept under the hash of all sources of the engine: numba would not notice that
a kernel which another file calls has changed.
"""

import hashlib
import os
import sys
from pathlib import Path

from polycrine.network.code import cache_folder

_sources = sorted(Path(__file__).parent.glob("*.py"))
_digest = hashlib.sha256(b"".join(source.read_bytes() for source in _sources)).hexdigest()
os.environ["NUMBA_CACHE_DIR"] = str(cache_folder() / f"kernels-{_digest[:16]}")
if "numba" in sys.modules:  # else it reads this when it is imported, which takes a while
    from numba import config

    config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]  # type: ignore[attr-defined]
