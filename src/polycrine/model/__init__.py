"""What the modeller declares."""
