"""How a peer answers: one JSON request a line in, one JSON answer a line out.

Import it first: what packages print from then on goes to the error stream. Peers run in
environments of their own and import nothing of geomnet; ``chart_problems`` and the like, which
need NumPy or networkx alone, they find through the path that is added here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def serve(packages: tuple[str, ...], calls: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answer requests until the input ends: ``do`` names a call, or asks for versions."""
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        if do == "versions":
            answer = {name: version(name) for name in packages}
        else:
            answer = calls[do](**request)
        print(json.dumps(answer), file=answers, flush=True)
