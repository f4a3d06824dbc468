"""Draw the house: its floors from the import contract in setup.cfg, its arrows from the imports."""

import ast
import configparser
import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "geomnet"
WITHOUT_ARROWS = {"__main__", "_version", "errors", "utils"}
"""The way in, and what every room may use."""
WIDTH = 7.2


def floors():
    """Names of the rooms on each floor, from the top down."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(PROJECT / "setup.cfg", encoding="utf-8")
    lines = parser["importlinter:contract:house"]["layers"].split("\n")
    return [re.split(r"\s*[|:]\s*", line.strip()) for line in lines if line.strip()]


def sources(room):
    """Source files of a room, its own page first."""
    folder = PACKAGE / room
    return (
        [folder / "__init__.py", *folder.rglob("*.py")]
        if folder.is_dir()
        else [PACKAGE / f"{room}.py"]
    )


def purpose(room):
    """First sentence of a room's docstring, without the room's own name."""
    docstring = ast.get_docstring(ast.parse(sources(room)[0].read_text(encoding="utf-8")))
    line = docstring.split("\n")[0].split(". ")[0].rstrip(".").replace("``", "")
    name, _, rest = line.partition(": ")
    return rest[0].upper() + rest[1:] if name.lower() == room else line


def imported(path, rooms):
    """Rooms that a source file imports from."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from {name.split(".")[0] for name in names} & rooms


def imports(rooms):
    """The graph of imports, without the arrows that a longer way makes superfluous."""
    graph = nx.DiGraph()
    graph.add_nodes_from(rooms)
    for room in rooms:
        for path in sources(room):
            graph.add_edges_from((room, other) for other in imported(path, rooms) if other != room)
    return nx.transitive_reduction(graph)


def draw():
    """One bar a room, an arrow for every import that is needed to know all of them."""
    stairs = floors()
    figure, axis = plt.subplots(figsize=(9, 0.4 * len(stairs)), layout="constrained")
    for number, floor in enumerate(stairs):
        width = WIDTH / len(floor)
        for place, room in enumerate(floor):
            draw_room(axis, room, (place * width, -number), width - 0.08)
    rooms = {room for floor in stairs for room in floor} - WITHOUT_ARROWS
    height = {room: -number for number, floor in enumerate(stairs) for room in floor}
    for above, below in imports(rooms).edges:
        ends = (WIDTH, height[above] - 0.1), (WIDTH, height[below] + 0.1)
        arrow = FancyArrowPatch(*ends, connectionstyle="arc3,rad=-0.4", arrowstyle="-|>")
        arrow.set(mutation_scale=8, color="#4477aa", linewidth=0.9)
        axis.add_patch(arrow)
    axis.set(xlim=(-0.05, WIDTH + 1.4), ylim=(0.6 - len(stairs), 0.5))
    axis.set_axis_off()
    return figure


def draw_room(axis, room, corner, width):
    """A bar with the room's name and what it is for."""
    left, height = corner
    bar = FancyBboxPatch((left, height - 0.38), width, 0.76, boxstyle="round,pad=0")
    bar.set(facecolor="#eef2f7", edgecolor="#8899aa", linewidth=0.8)
    axis.add_patch(bar)
    axis.text(left + 0.08, height, room, va="center", weight="bold", fontsize=8.5)
    letters = int(16 * (width - 1.2))
    size = 8 if len(purpose(room)) <= letters else 6.5
    text = textwrap.fill(purpose(room), int(letters * 8 / size))
    axis.text(left + 1.15, height, text, va="center", fontsize=size)


if __name__ == "__main__":
    draw()
    plt.show()
