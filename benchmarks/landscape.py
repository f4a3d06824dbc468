"""Draw the landscape of a network that reads digits.

``python benchmarks/landscape.py`` trains scikit-learn's ``MLPClassifier`` on 1200 digits, takes the
emergent geometry of 500 of them and draws ``docs/_static/landscape.png``. It has no peer.
"""

from __future__ import annotations

from common import STATIC, begin, command_line


def main() -> None:
    """Train, draw."""
    run = begin(command_line(__doc__))
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    import geomnet as gn

    points, labels = load_digits(return_X_y=True)
    points = points / 16
    model = MLPClassifier((32, 32), alpha=1e-2, max_iter=400, random_state=0)
    model.fit(points[:1200], labels[:1200])
    network, theta = gn.FeedForward.from_sklearn(model)
    geometry = gn.EmergentGeometry.from_network(network, theta, points[:500], gn.Categorical(10))
    run.save_figure(gn.plot_landscape(geometry), STATIC / "landscape.png", dpi=120)


if __name__ == "__main__":
    main()
