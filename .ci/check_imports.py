"""Show that modules of geomnet import in no circle, and nothing that a package keeps to itself.

Every import counts, wherever it stands: at the top of a file, in a function, or under
``TYPE_CHECKING``. A circle is a set of modules each of which reaches all the others; a package's
``__init__`` that gathers names counts as a module too, but not as a part of the modules in it.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "geomnet"


def name_of(path: Path) -> str:
    """Dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def source_of(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """Dotted name of what an import is from."""
    if not node.level:
        return node.module or ""
    base = module.split(".") if is_package else module.split(".")[:-1]
    base = base[: len(base) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected parts of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            part = []
            while not part or part[-1] != module:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return found


def room(module: str) -> str:
    """The package at the top that a module is in."""
    return ".".join(module.split(".")[:2])


def main() -> int:
    """Print what is wrong; the exit status is the number of faults, at most one."""
    paths = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
    graph: dict[str, set[str]] = {module: set() for module in paths}
    faults = []
    for module, path in paths.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id == "TYPE_CHECKING":
                faults.append(f"{module}, line {node.lineno}: imports under TYPE_CHECKING")
            if not isinstance(node, ast.ImportFrom):
                continue
            source = source_of(node, module, path.stem == "__init__")
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                target = whole if whole in paths else source
                if target in paths and target != module:
                    graph[module].add(target)
                foreign = target in paths and room(target) != room(module)
                if foreign and alias.name.startswith("_") and not alias.name.startswith("__"):
                    faults.append(f"{module}, line {node.lineno}: imports {whole}")
    faults += [f"a circle: {', '.join(part)}" for part in circles(graph)]
    for fault in faults:
        print(fault)
    print(f"{len(paths)} modules, {sum(map(len, graph.values()))} imports, {len(faults)} faults")
    return min(1, len(faults))


if __name__ == "__main__":
    sys.exit(main())
