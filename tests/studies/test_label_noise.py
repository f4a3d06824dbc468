"""Label noise: what is replaced, what is measured, and what it has in common with naive code."""

import functools
import io
import json

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.special import softmax
from scipy.stats import spearmanr

import geomnet as gn
from geomnet.plotting.label_noise import plot_label_noise
from geomnet.studies.label_noise import study as label_noise
from geomnet.studies.label_noise.result import MEASURES
from geomnet.studies.label_noise.study import LabelNoiseStudy, label_noise_study, noisy_labels

MEASURED = [name for name in MEASURES if name != "excesses"]
NETWORK = gn.FeedForward((4, 5, 5, 3), "tanh", skips={1: 0.5})
NOISES, SEEDS = (0.0, 0.4, 1.0), (3, 7)


@functools.cache
def data():
    return gn.datasets.load_split("iris", n=40, seed=0)


@functools.cache
def study_of():
    sample, heldout = data()
    return label_noise_study(
        sample, NETWORK, NOISES, SEEDS, heldout=heldout, n_eigenvalues=6, epochs=60,
        learning_rate=0.02, batch_size=10,
    )  # fmt: skip


def with_columns(**columns):
    """A study of the given columns, all others ones."""
    shape = np.shape(next(iter(columns.values())))
    arrays = {name: np.array(columns.get(name, np.ones(shape)), float) for name in MEASURED}
    return LabelNoiseStudy(
        noises=np.linspace(0, 1, shape[0]), seeds=np.arange(shape[1]), **arrays,
        thetas=np.zeros((*shape, 2)), n_eigenvalues=1, network="N", sample="S",
    )  # fmt: skip


# -- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.25, 0.5, 1.0])
def test_the_share_replaced_is_exact(noise):
    # among a million classes a random label is hardly ever the old one
    new = noisy_labels(np.zeros(200, int), noise, seed=1, n_classes=10**6)
    assert (new != 0).sum() == round(noise * 200)
    assert new.max() < 10**6


def test_random_labels_are_uniform_and_the_noises_nested():
    old = np.repeat(np.arange(4), 2500)
    new = noisy_labels(old, 1.0, seed=0)
    # 16 cells of 625 ± 22 each: five standard deviations
    table = np.histogram2d(old, new, bins=4)[0]
    assert np.abs(table - 625).max() < 5 * np.sqrt(625 * 0.75)
    few, more = (noisy_labels(old, noise, seed=0) for noise in (0.2, 0.6))
    changed = few != old
    assert 0.2 * 0.7 < changed.mean() < 0.2 * 0.8  # one in four is the old one again
    np.testing.assert_array_equal(few[changed], more[changed])
    np.testing.assert_array_equal(few[changed], new[changed])
    assert (noisy_labels(old, 0.2, seed=1) != few).any()


def test_labels_given_stay_as_they_are():
    old = np.arange(10)
    noisy_labels(old, 1.0)
    np.testing.assert_array_equal(old, np.arange(10))


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("labels", {"labels": [0.5, 1.0]}),
        ("labels", {"labels": [-1, 1]}),
        ("labels", {"labels": ["a", "b"]}),
        ("noise", {"noise": 1.2}),
        ("noise", {"noise": -0.1}),
        ("seed", {"seed": -1}),
        ("n_classes", {"n_classes": 2}),
    ],
)
def test_labels_that_cannot_be_replaced(argument, options):
    with pytest.raises(gn.InputError, match=f"^{argument}"):
        noisy_labels(**{"labels": [0, 1, 2], "noise": 0.5, **options})


# -- measures ---------------------------------------------------------------------------------


def test_every_measure_is_that_of_its_network():
    """Naive code: G from the probabilities and Jacobians by finite differences."""
    study, (sample, heldout) = study_of(), data()
    row, column = 1, 0
    theta = study.thetas[row, column]
    labels = noisy_labels(sample.labels, 0.4, seed=3, n_classes=3)
    z = NETWORK(theta, sample)
    p = softmax(z, axis=1)
    step = 1e-6
    jacobian = np.stack(
        [
            (NETWORK(theta + step * e, sample) - NETWORK(theta - step * e, sample)) / (2 * step)
            for e in np.eye(len(theta))
        ],
        axis=-1,
    )
    inner = np.einsum("ic,cd->icd", p, np.eye(3)) - p[:, :, None] * p[:, None, :]
    fisher = np.einsum("ica,icd,idb->ab", jacobian, inner, jacobian) / sample.n
    values = np.linalg.eigvalsh(fisher)[::-1]
    kappa = sample.n / (2 * np.pi * np.log(sample.n))
    scaled = values * kappa * len(theta) / values.sum()
    weights, biases = NETWORK.unpack(theta)
    states = [np.tanh(sample.points @ weights[0].T + biases[0])]
    states.append(states[0] + 0.5 * np.tanh(states[0] @ weights[1].T + biases[1]))
    roots = [np.sqrt(softmax(s @ weights[2].T + biases[2], axis=1)) for s in states]
    angles = 2 * np.arccos(np.minimum(np.sum(roots[0] * roots[1], axis=1), 1))
    expected = {
        "train_accuracies": np.mean(z.argmax(axis=1) == labels),
        "test_accuracies": np.mean(NETWORK(theta, heldout).argmax(axis=1) == heldout.labels),
        "train_losses": -np.mean(np.log(p[np.arange(sample.n), labels])),
        "fisher_rao_norms": theta @ fisher @ theta,
        "traces": np.trace(fisher),
        "log_volumes": np.sum(np.log(values[:6])),
        "effective_dimensions": np.sum(np.log1p(scaled)) / np.log(kappa),
        "lengths": np.sqrt(np.mean(angles**2)),
        "chords": np.sqrt(np.mean(angles**2)),
    }
    assert set(expected) == set(MEASURED)
    for name, value in expected.items():
        assert getattr(study, name)[row, column] == pytest.approx(value, rel=1e-5), name


def test_networks_are_those_that_train_gives():
    study, (sample, heldout) = study_of(), data()
    for (row, noise), (column, seed) in [((0, 0.0), (1, 7)), ((2, 1.0), (0, 3))]:
        labels = noisy_labels(sample.labels, noise, seed, 3)
        fit = gn.train(
            NETWORK, sample.replace(labels=labels), gn.Categorical(3), seed=seed, epochs=60,
            learning_rate=0.02, batch_size=10, weight_decay=0.0, heldout=heldout,
        )  # fmt: skip
        np.testing.assert_array_equal(study.thetas[row, column], fit.theta)
        assert study.train_accuracies[row, column] == fit.train_accuracy


def test_noise_costs_accuracy_on_points_held_out():
    study = study_of()
    assert study.done.all()
    assert study.problems == ()
    assert study.mean("test_accuracies")[0] > 0.85
    assert study.mean("test_accuracies")[2] < 0.65
    assert (study.excesses >= 1).all()


def test_a_network_with_a_readout_of_its_own():
    sample, heldout = data()
    network = gn.Network(gn.TanhField(dim=4, width=3), depth=3)
    study = label_noise_study(sample, network, [0.0, 1.0], [5], heldout=heldout, epochs=3)
    fit = gn.train(
        network, sample, gn.Categorical(3), seed=5, epochs=3, batch_size=100, learning_rate=2e-3,
        weight_decay=0.0,
    )  # fmt: skip
    flat = [fit.theta.ravel(), fit.readout.weight.ravel(), fit.readout.bias]
    np.testing.assert_array_equal(study.thetas[0, 0], np.concatenate(flat))
    roots = np.sqrt(softmax(fit.readout(network.states(fit.theta, sample)), axis=-1))
    angles = 2 * np.arccos(np.minimum(np.sum(roots[:-1] * roots[1:], axis=-1), 1))
    length = np.sqrt(np.mean(angles**2, axis=1)).sum()
    assert study.lengths[0, 0] == pytest.approx(length, rel=1e-6)


@pytest.mark.slow
def test_the_network_of_the_study_gives_the_reference():
    # length over chord that is expected, from other draws
    study = label_noise_study(noises=(0.0, 0.2), seeds=1)
    assert study.network.startswith("FeedForward(64-32-")
    np.testing.assert_array_equal(study.train_accuracies, 1.0)
    np.testing.assert_allclose(study.excesses[:, 0], [1.19, 1.78], rtol=0.1)


# -- statistics -------------------------------------------------------------------------------


def test_means_and_errors_leave_out_what_is_unknown():
    study = with_columns(traces=[[1.0, 3.0, 8.0], [2.0, np.nan, 4.0], [5.0, np.nan, np.nan]])
    np.testing.assert_allclose(study.mean("traces"), [4, 3, 5])
    errors = study.standard_error("traces")
    np.testing.assert_allclose(errors[:2], [np.std([1, 3, 8], ddof=1) / np.sqrt(3), 1.0])
    assert np.isnan(errors[2])
    with pytest.raises(gn.InputError, match=r"^name"):
        study.mean("trace")


def test_correlations_tell_the_labels_from_the_networks():
    rng = np.random.default_rng(0)
    test = np.linspace(0.9, 0.1, 5)[:, None] + 0.01 * rng.normal(size=(5, 6))
    study = with_columns(
        test_accuracies=test,
        traces=np.exp(-5 * test),  # falls with it everywhere
        lengths=np.repeat(np.arange(5.0), 6).reshape(5, 6) + 0.01 * rng.normal(size=(5, 6)),
        chords=np.argsort(np.argsort(test, axis=1), axis=1),  # says which seed, not which noise
        log_volumes=np.full((5, 6), np.nan),
    )
    found = study.correlations()
    assert found["traces"] == pytest.approx((-1, -1))
    assert found["lengths"][0] == pytest.approx(
        spearmanr(study.lengths.ravel(), test.ravel()).statistic
    )
    assert found["lengths"][0] < -0.9
    assert abs(found["lengths"][1]) < 0.6
    assert found["chords"][1] == pytest.approx(1)
    assert abs(found["chords"][0]) < 0.6
    assert np.isnan(found["log_volumes"]).all()
    assert np.isnan(found["train_losses"]).all()
    assert "test_accuracies" not in found


# -- the study as a whole ---------------------------------------------------------------------


def test_saved_and_loaded(tmp_path):
    study = study_of()
    study.save(tmp_path / "study.npz")
    loaded = LabelNoiseStudy.load(tmp_path / "study.npz")
    for name in ("noises", "seeds", "thetas", "excesses", *MEASURED):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(study, name))
    assert repr(loaded) == repr(study)
    assert str(loaded) == str(study)
    np.savez(tmp_path / "other.npz", noises=np.ones(2))
    with pytest.raises(gn.InputError, match="no saved study"):
        LabelNoiseStudy.load(tmp_path / "other.npz")


def test_told_in_words_and_numbers():
    study = with_columns(traces=[[1.0, 2.0], [np.nan, 4.0]], train_losses=[[1.0, 1], [np.nan, 1]])
    found = json.loads(json.dumps(study.as_dict(), allow_nan=False))
    assert found["traces"] == [[1.0, 2.0], [None, 4.0]]
    assert found["excesses"][0] == [1.0, 1.0]
    assert "thetas" not in found
    assert "networks=3" in repr(study)
    head, rule, first, second = study.table().splitlines()
    assert head.split()[:3] == ["noise", "train", "test"]
    assert set(rule) == {"-"}
    assert "1.50±0.50" in first
    assert second.split()[0] == "1"


def test_an_interrupt_leaves_what_was_done(monkeypatch):
    sample, heldout = data()
    calls = []

    def interrupted(*arguments, **options):
        calls.append(options["seed"])
        if len(calls) == 5:
            raise KeyboardInterrupt
        return gn.train(*arguments, **options)

    monkeypatch.setattr(label_noise, "train", interrupted)
    study = label_noise_study(sample, NETWORK, NOISES, 3, heldout=heldout, epochs=2)
    np.testing.assert_array_equal(study.done, [[1, 1, 0], [1, 0, 0], [1, 0, 0]])
    assert study.problems == ("interrupted: 4 of 9 networks were trained",)
    assert np.isfinite(study.mean("traces")).all()
    plot_label_noise(study)
    calls[:] = range(4)
    with pytest.raises(KeyboardInterrupt):
        label_noise_study(sample, NETWORK, NOISES, 3, heldout=heldout, epochs=2)


def test_without_held_out_points_there_is_no_test_accuracy():
    study = label_noise_study(data()[0], NETWORK, [0.5], 2, epochs=2)
    assert np.isnan(study.test_accuracies).all()
    titles = [axis.get_title() for axis in plot_label_noise(study).axes]
    assert titles[0] == "accuracy"
    assert "test" not in study.table()


def test_figure_shows_every_measure():
    figure = plot_label_noise(study_of())
    assert len(figure.axes) == 8
    legends = [t.get_text() for axis in figure.axes[:3:2] for t in axis.get_legend().get_texts()]
    assert legends == ["held out, true labels", "trained on", "length", "chord"]
    file = io.BytesIO()
    figure.savefig(file, dpi=60)
    file.seek(0)
    image = imread(file)
    assert image[..., :3].std() > 0.05
    titles = [axis.get_title() for axis in figure.axes]
    line = figure.axes[titles.index("tr G")].containers[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), study_of().mean("traces"))
    with pytest.raises(gn.InputError, match=r"^study"):
        plot_label_noise({})


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("sample", {"sample": np.ones((30, 4))}),
        ("sample", {"sample": gn.Sample(np.ones((30, 4)))}),
        ("sample", {"sample": data()[0].take(range(19))}),
        ("heldout", {"sample": None, "heldout": data()[1]}),
        ("heldout", {"heldout": data()[1].replace(labels=None)}),
        ("labels", {"sample": gn.Sample(np.ones((30, 4)), labels=np.full(30, 0.5))}),
        ("network", {"network": "deep"}),
        ("network", {"network": gn.FeedForward((4, 5, 2))}),
        ("noises", {"noises": []}),
        ("noises", {"noises": [0.5, 0.2]}),
        ("noises", {"noises": [0.0, 1.5]}),
        ("seeds", {"seeds": 0}),
        ("seeds", {"seeds": [1, 1]}),
        ("n_eigenvalues", {"n_eigenvalues": 81}),
        ("seed", {"seed": 3}),
        ("targets", {"targets": np.zeros(40)}),
        ("epochs", {"epochs": 0}),
    ],
)
def test_unusable_arguments_are_named(argument, options):
    given = {"sample": data()[0], "network": NETWORK, "noises": [0.0], "epochs": 1, **options}
    with pytest.raises(gn.InputError, match=f"^{argument}"):
        label_noise_study(**given)
