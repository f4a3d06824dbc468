"""Methods that minimise the discrete path energy: one method, one file."""
