"""Draw the landscape of a network that reads digits: docs/_static/landscape.png."""

from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import geomnet as gn

TO = Path(__file__).parent.parent / "docs" / "_static" / "landscape.png"


def main() -> None:
    points, labels = load_digits(return_X_y=True)
    points = points / 16
    model = MLPClassifier((32, 32), alpha=1e-2, max_iter=400, random_state=0)
    model.fit(points[:1200], labels[:1200])
    network, theta = gn.FeedForward.from_sklearn(model)
    geometry = gn.EmergentGeometry.from_network(network, theta, points[:500], gn.Categorical(10))
    gn.plot_landscape(geometry).savefig(TO, dpi=120)


if __name__ == "__main__":
    main()
