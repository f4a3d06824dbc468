"""Sphinx configuration."""

import os

from geomnet import __version__

os.environ.pop("MPLBACKEND", None)  # a page's figures are drawn inline, whatever the shell draws

project = "geomnet"
author = "The geomnet developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinxcontrib.bibtex",
]
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build", "jupyter_execute", "**/.ipynb_checkpoints"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True
# the n of "shape (n, d)" is no reference, though several classes have an attribute of that name
suppress_warnings = ["ref.python"]
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"geomnet {version}"
html_static_path = ["_static"]
