"""Whether agents together do more or less than each alone would let one expect."""
