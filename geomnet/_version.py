"""The version of geomnet, in one place."""

__version__ = "0.1.0"
