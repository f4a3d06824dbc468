"""The study of label noise at full size: 35 networks of 14 026 parameters, trained and measured.

``python benchmarks/label_noise.py`` trains on 600 digits with seven shares of random labels and
five seeds, writes ``results/label_noise.json`` and draws ``docs/_static/label_noise.png``;
``--draw`` draws the figure of the kept results again. As a control networks are trained on the true
labels for a shorter time, so that they end with the training loss of those on random ones.
"""

from __future__ import annotations

import time
from typing import Any

from common import STATIC, Run, begin, command_line, print_table

REFERENCE = {0.0: 1.19, 0.2: 1.78, 0.5: 2.20, 1.0: 2.49}
"""Length over chord that is expected, from other draws."""


STOPPED = (30, 60, 90)
"""Epochs of the control; the study takes 667."""


def study_of(found: dict[str, Any]) -> Any:
    """The study of kept results, without the networks."""
    import numpy as np

    from geomnet.studies.label_noise.result import MEASURES, WORDS, LabelNoiseStudy

    names = ("noises", "seeds", *(name for name in MEASURES if name != "excesses"))
    return LabelNoiseStudy(
        **{name: np.array(found[name], dtype=float) for name in names},
        **{name: found[name] for name in WORDS},
        thetas=np.zeros((len(found["noises"]), len(found["seeds"]), 0)),
        problems=tuple(found["problems"]),
    )


def measure(run: Run) -> None:
    """Train, measure, write."""
    from geomnet.studies.label_noise.study import label_noise_study

    before = time.perf_counter()
    study = label_noise_study()
    taken = round(time.perf_counter() - before, 1)
    stopped = {
        str(epochs): label_noise_study(noises=[0.0], epochs=epochs).as_dict() for epochs in STOPPED
    }
    content = {"seconds": taken, "study": study.as_dict(), "stopped": stopped}
    run.write_results("label_noise.json", content)


def show(kept: dict[str, Any]) -> None:
    """Print what was found."""
    study = study_of(kept["study"])
    print(study, f"\n\n{kept['seconds']} s\n\ntrue labels, after fewer epochs:")
    for epochs, found in kept["stopped"].items():
        head, _, row = study_of(found).table().splitlines()
        print(f"{'':>6} {head}\n{epochs:>6} {row}")
    print()
    print_table(
        ["noise", "length/chord", "reference", "ratio"],
        [
            [
                f"{noise:g}",
                *(f"{x:.3f}" for x in (excess, REFERENCE[noise], excess / REFERENCE[noise])),
            ]
            for noise, excess in zip(study.noises, study.mean("excesses"))
            if noise in REFERENCE
        ],
    )
    print()
    print_table(
        ["rank correlation with test accuracy", "over all", "within a noise"],
        [
            [name, *(f"{value:.2f}" for value in pair)]
            for name, pair in study.correlations().items()
        ],
    )


def main() -> None:
    """Train, measure, write, draw."""
    parser = command_line(__doc__)
    parser.add_argument("--draw", action="store_true", help="only draw the kept results")
    run = begin(parser)
    if not run.options.draw:
        measure(run)
    kept = run.read_results("label_noise.json")
    show(kept)
    from geomnet.plotting.label_noise import plot_label_noise

    figure = plot_label_noise(study_of(kept["study"]))
    run.save_figure(figure, STATIC / "label_noise.png", dpi=130)


if __name__ == "__main__":
    main()
