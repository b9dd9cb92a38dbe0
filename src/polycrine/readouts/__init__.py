"""What an observer sees of a stored run."""
