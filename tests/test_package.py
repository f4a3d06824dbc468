"""The package as a user meets it: names, imports, versions, and what the README shows."""

import ast
import configparser
import doctest
import importlib
import inspect
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import geomnet as gn

PACKAGE = Path(gn.__file__).parent
PROJECT = Path(__file__).resolve().parents[1]


def python(code, folder):
    """What a fresh interpreter prints that runs the package under test."""
    path = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(PROJECT / "setup.cfg", encoding="utf-8")
    return parser


# -- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", gn.__all__)
def test_every_name_resolves(name):
    value = getattr(gn, name)
    assert name in dir(gn)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__name__ == name
        assert value.__module__.startswith("geomnet.")
        assert inspect.getdoc(value)


def test_names_are_given_once():
    assert len(set(gn.__all__)) == len(gn.__all__)
    assert {"__version__", "Sample", "FunctionSpace", "compare", "geodesic"} <= set(gn.__all__)


def test_a_star_brings_every_name():
    namespace = {}
    exec("from geomnet import *", namespace)
    assert set(gn.__all__) <= namespace.keys()


@pytest.mark.parametrize("name", ["Geodesics", "numpy", "_private", "compare2"])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=rf"geomnet.*{name}"):
        getattr(gn, name)


def test_editors_are_told_the_names_that_load_lazily():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    told = {}
    for statement in tree.body[1:]:
        assert isinstance(statement, ast.ImportFrom)
        assert statement.level == 1
        for alias in statement.names:
            assert alias.asname not in told
            told[alias.asname] = (statement.module, alias.name)
    assert set(told) == set(gn.__all__)
    for name, (home, source) in told.items():
        try:
            found = getattr(
                importlib.import_module(f"geomnet.{home}" if home else "geomnet"), source
            )
        except AttributeError:
            found = importlib.import_module(f"geomnet.{source}")
        assert getattr(gn, name) is found


# -- imports ----------------------------------------------------------------------------------

HEAVY = {"numpy", "scipy", "sklearn", "geomstats", "matplotlib", "autograd", "pandas", "networkx"}
LOADED = "\nimport sys\nprint(*sys.modules)"


@pytest.mark.parametrize(
    "code",
    [
        "import geomnet",
        "import geomnet; geomnet.__version__; dir(geomnet)",
        "import geomnet.cli",
        "from geomnet.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass",
        "from geomnet.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass",
    ],
    ids=["package", "version", "command line", "--version", "--help"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(tmp_path, code):
    assert not HEAVY & set(python(code + LOADED, tmp_path))


def test_pictures_are_not_loaded_by_numbers(tmp_path):
    loaded = python("import geomnet as gn\ngn.Sample; gn.geodesic; gn.L2Metric" + LOADED, tmp_path)
    assert "matplotlib.pyplot" not in loaded
    assert "geomnet.reports" not in loaded


def imported_by(path):
    """Names of the packages outside geomnet that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_every_import_is_a_declared_dependency(setup):
    lines = setup["options"]["install_requires"].split("\n")
    declared = {re.split(r"[<>=!~ ]", line)[0] for line in lines if line and line[0] != "#"}
    needed = {name for path in PACKAGE.rglob("*.py") for name in imported_by(path)}
    needed = {"scikit-learn" if name == "sklearn" else name for name in needed}
    assert needed - set(sys.stdlib_module_names) - {"geomnet"} <= declared


# -- versions and files -----------------------------------------------------------------------


def test_versions_agree(setup):
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z]+\d+)?", gn.__version__)
    assert setup["metadata"]["version"] == "attr: geomnet._version.__version__"
    try:
        installed = version("geomnet")
    except PackageNotFoundError:
        installed = gn.__version__
    assert installed == gn.__version__


def test_versions_are_shown_of_all_that_is_declared(setup, capsys):
    gn.show_versions()
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["geomnet"] == gn.__version__
    assert shown["python"] == sys.version.split()[0]
    for line in setup["options"]["install_requires"].split("\n"):
        if line and line[0] != "#":
            name = re.split(r"[<>=!~ ]", line)[0]
            assert shown[name] == version(name)


def test_what_is_no_code_is_shipped(setup):
    for package, pattern in setup["options.package_data"].items():
        folder = PACKAGE.joinpath(*package.split(".")[1:])
        for name in re.split(r"[,\s]+", pattern.strip()):
            assert list(folder.glob(name))
    others = {p.name for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    patterns = [re.split(r"[,\s]+", p.strip()) for p in setup["options.package_data"].values()]
    assert all(any(fnmatch(name, p) for part in patterns for p in part) for name in others)


def test_the_script_is_the_command_line(setup):
    name, _, target = setup["options.entry_points"]["console_scripts"].strip().partition(" = ")
    module, _, function = target.partition(":")
    assert name == "geomnet"
    assert callable(getattr(importlib.import_module(module), function))


# -- the README -------------------------------------------------------------------------------


def blocks(text, language):
    """Code of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_readme_shows_the_two_commands():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    shown = "\n".join(blocks(text, r"\w*"))
    assert "pip install . && geomnet compare" in shown
    assert 'pip install ".[test]" && pytest' in shown


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    found = blocks((PROJECT / "README.md").read_text(encoding="utf-8"), "python")
    assert found, "the README shows no Python"
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}  # a reader goes from block to block
    for number, block in enumerate(found, 1):
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, namespace, "README", None, 0)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            assert runner.run(test, clear_globs=False).failed == 0, capsys.readouterr().out
            namespace = test.globs
        else:
            exec(compile(block, f"README block {number}", "exec"), namespace)
