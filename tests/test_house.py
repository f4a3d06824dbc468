"""The house keeps its measure: functions of one step, tests that one reader holds."""

import ast
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def code_lines(function):
    """Lines of a function, its docstring apart."""
    docstring = ast.get_docstring(function, clean=False)
    spent = len(docstring.split("\n")) if docstring else 0
    return function.end_lineno - function.lineno + 1 - spent


def test_no_function_is_longer_than_a_page():
    long = [
        (path.name, node.name)
        for path in (PROJECT / "geomnet").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and code_lines(node) > 80
    ]
    assert not long


def test_no_test_file_is_longer_than_a_reader_holds():
    long = [
        path.name
        for path in (PROJECT / "tests").rglob("test_*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 500
    ]
    assert not long
