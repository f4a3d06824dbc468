"""Linear algebra that is not of one subject: Krylov methods and banded systems."""
