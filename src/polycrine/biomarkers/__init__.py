"""From a cohort of panels, measured or simulated, to claims about markers with their intervals."""
