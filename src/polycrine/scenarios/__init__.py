"""Ready-made declarations with what was measured."""
