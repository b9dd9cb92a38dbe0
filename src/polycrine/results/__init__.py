"""Numbers that outlive the run."""
