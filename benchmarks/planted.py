"""Which relation recovers a planted geometry best.

Random networks are wired along a ring of 24 units or a torus of 5 by 5, every unit joined to itself
and to its neighbours; what a relation makes of them is compared with the distances they were wired
by. ``python benchmarks/planted.py`` takes 32 of each and writes ``results/planted.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from common import begin, command_line, print_table

SEEDS = 32
LAYERS, DATA = 5, 400
GAIN = {"tanh": 1.5, "relu": 2.0}


def planted_distances(name: str) -> Any:
    """Steps between units along the ring, or along both circles of the torus."""
    import numpy as np

    n = 24 if name == "ring" else 5
    gap = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    circle = np.minimum(gap, n - gap)
    if name == "ring":
        return circle
    return np.add.outer(circle, circle).transpose(0, 2, 1, 3).reshape(n * n, n * n)


def geometries(activation: str, distances: Any) -> Iterator[Any]:
    """Geometries of random networks that are wired by distances."""
    import numpy as np

    import geomnet as gn

    near, n = distances <= 1, len(distances)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        weights, biases = [], []
        for _ in range(LAYERS):
            scale = np.sqrt(GAIN[activation] / near[0].sum())
            weights.append(rng.normal(size=(n, n)) * scale * near)
            biases.append(0.3 * np.abs(rng.normal(size=n)))
        network, theta = gn.FeedForward.from_arrays(weights, biases, activation)
        points = rng.normal(size=(DATA, n))
        yield gn.EmergentGeometry.from_network(network, theta, points, gn.Categorical(n))


def recovery(geometry: Any, relation: Any, distances: Any) -> float:
    """Spearman correlation of emergent with planted distances, mean over hidden layers."""
    import numpy as np
    from scipy.stats import spearmanr

    import geomnet as gn

    between, found = gn.emergent.distance_matrix(geometry, relation), []
    for layer in range(1, LAYERS):
        nodes = geometry.in_layer(layer)
        pairs = np.triu_indices(len(nodes), 1)
        true = distances[np.ix_(geometry.unit[nodes], geometry.unit[nodes])]
        found.append(spearmanr(between[np.ix_(nodes, nodes)][pairs], true[pairs])[0])
    return float(np.mean(found))


def main() -> None:
    """Run it."""
    run = begin(command_line(__doc__))
    import numpy as np

    import geomnet as gn

    relations = (
        gn.emergent.CausalLength(),
        gn.emergent.CorrelationLength(),
        gn.emergent.ActivationInformation(),
        gn.emergent.FisherAngle(),
        gn.emergent.FisherChord(),
        gn.emergent.FlowResistance(),
    )
    names = [type(relation).__name__ for relation in relations]
    results: dict[str, dict[str, Any]] = {name: {} for name in names}
    for shape in ("ring", "torus"):
        distances = planted_distances(shape)
        for activation in GAIN:
            found = np.array(
                [
                    [recovery(geometry, relation, distances) for relation in relations]
                    for geometry in geometries(activation, distances)
                ]
            )
            error = found.std(axis=0, ddof=1) / np.sqrt(SEEDS)
            for name, mean, own in zip(names, found.mean(axis=0), error):
                results[name][f"{shape}, {activation}"] = [float(mean), float(own)]
    cases = list(results[names[0]])
    print(f"Spearman correlation of emergent with planted distance, {SEEDS} networks (s.e.)\n")
    print_table(
        ["relation", *cases],
        [
            [
                name,
                *(f"{results[name][case][0]:.3f} ({results[name][case][1]:.3f})" for case in cases),
            ]
            for name in names
        ],
    )
    run.write_results("planted.json", {"networks": SEEDS, "found": results})


if __name__ == "__main__":
    main()
