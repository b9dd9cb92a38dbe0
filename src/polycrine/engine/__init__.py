"""Time passes.

Compiled kernels are kept under the hash of all sources of the engine: numba would not notice that
a kernel which another file calls has changed.
"""

import hashlib
from pathlib import Path

from numba import config

from polycrine.network.code import cache_folder

_sources = sorted(Path(__file__).parent.glob("*.py"))
_digest = hashlib.sha256(b"".join(source.read_bytes() for source in _sources)).hexdigest()
config.CACHE_DIR = str(cache_folder() / f"kernels-{_digest[:16]}")  # type: ignore[attr-defined]
