"""Kill a run of `infection` at random moments, resume it each time, and compare all bits.

    python benchmarks/kill_infection.py [KILLS] [DURATION]

Prints what differs from an undisturbed run; exits with 1 when something does.
"""

import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

COMMAND = [sys.executable, "-c", "from polycrine.cli import main; main()"]
SHORTEST, LONGEST = 5.0, 14.0  # seconds between a start and a kill


def start(*words):
    """A polycrine process."""
    return subprocess.Popen([*COMMAND, *words, "-q"], stdout=subprocess.DEVNULL)


def checkpoint(folder):
    """Everything that a run has left behind, as arrays by name."""
    with np.load(folder / "checkpoints" / "latest.npz", allow_pickle=False) as stored:
        return dict(stored)


def main():
    """Run twice, once with kills."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    duration = sys.argv[2] if len(sys.argv) > 2 else "24h"
    with tempfile.TemporaryDirectory() as scratch:
        whole, broken = Path(scratch) / "whole", Path(scratch) / "broken"
        partial = broken.with_name("broken.partial")
        start("run", "infection", "--for", duration, "--out", str(whole)).wait()
        words, done = ("run", "infection", "--for", duration, "--out", str(broken)), 0
        while not broken.is_dir():
            process = start(*words)
            try:
                process.wait(random.uniform(SHORTEST, LONGEST) if done < kills else None)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                done += 1
            if partial.is_dir():
                words = ("resume", str(partial))
        expected, found = checkpoint(whole), checkpoint(broken)
        differing = [
            name
            for name, value in expected.items()
            if not np.array_equal(value, found[name], equal_nan=value.dtype.kind == "f")
        ]
    print(f"{done} kills; of {len(expected)} arrays these differ: {differing or 'none'}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
