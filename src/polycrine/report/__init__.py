"""Pages and pictures of a stored run."""
