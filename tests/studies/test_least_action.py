"""Least action: the path over λ, its figure."""

import io
import json

import numpy as np
import pytest
from least_action_common import LIKELIHOOD, NETWORK, sample_of
from matplotlib.image import imread

import geomnet as gn
from geomnet.control.action import Action
from geomnet.studies import solving as measuring

# -- the path over λ --------------------------------------------------------------------------

WEIGHTS = [0.0, 1e-3, 1e-2, 0.1, 1.0]


FLOWERS = gn.datasets.load_split("iris", n=50, seed=0)


def run(name="l2", weights=WEIGHTS, **options):
    sample, heldout = FLOWERS
    network = gn.Network(gn.TanhField(4, 5), 4)
    space = gn.FunctionSpace(sample)
    metric = {"l2": gn.L2Metric, "energy": gn.EnergyMetric}[name](space)
    options = {"heldout": heldout, "epochs": 150, "n_steps": 8, **options}
    return gn.studies.least_action_path(
        network, sample, gn.Categorical(3), metric, weights, **options
    )


@pytest.fixture(scope="module", params=["l2", "energy"])
def path(request):
    weights = WEIGHTS if request.param == "l2" else np.array(WEIGHTS) / 20
    return run(request.param, weights)


def test_more_weight_means_less_energy_and_no_less_loss(path):
    assert path.problems == ()
    assert (path.energies[1:] < path.energies[:-1]).all()
    assert path.energies[-1] < 0.1 * path.energies[0]
    assert path.losses[-1] > path.losses[0]
    assert path.losses.argmin() <= 1


def test_no_network_is_shorter_than_its_distance(path):
    assert (path.lengths >= path.distances * (1 - 1e-9) - path.errors).all()
    assert (path.excesses >= 1 - 1e-6).all()
    np.testing.assert_allclose(path.excesses, path.lengths / path.distances)
    # the middle of the road: work is done, and done nearly straight
    assert path.excesses[2] < path.excesses[0]


def test_the_path_is_what_its_parameters_say(path):
    sample, heldout = FLOWERS
    network = gn.Network(gn.TanhField(4, 5), 4)
    metric = (gn.EnergyMetric if "Energy" in path.metric else gn.L2Metric)(gn.FunctionSpace(sample))
    assert path.metric == repr(metric)
    assert len(path) == len(WEIGHTS) == len(path.readouts)
    for k, (theta, readout) in enumerate(zip(path.thetas, path.readouts)):
        curve = network.curve(theta, sample)
        assert path.lengths[k] == pytest.approx(curve.length(metric))
        assert path.energies[k] == pytest.approx(Action(network, metric).value(theta))
        geo = gn.geodesic(metric, curve.start, curve.end, n_steps=8, initial_path=curve.states)
        assert path.distances[k] == pytest.approx(geo.distance, rel=1e-6)
        for data, losses, scores in (
            (sample, path.losses, path.train_scores),
            (heldout, path.heldout_losses, path.heldout_scores),
        ):
            z = readout(network(theta, data))
            chances = np.exp(z - z.max(axis=1, keepdims=True))
            chances /= chances.sum(axis=1, keepdims=True)
            right = chances[np.arange(data.n), data.labels]
            assert losses[k] == pytest.approx(-data.weights @ np.log(right), rel=1e-9)
            assert scores[k] == pytest.approx(np.mean(z.argmax(axis=1) == data.labels))


def test_each_training_goes_on_from_the_last():
    short = {"epochs": 5, "n_steps": None}
    both = run(weights=[0.01, 0.1], **short)
    sample, heldout = FLOWERS
    network, metric = gn.Network(gn.TanhField(4, 5), 4), gn.L2Metric(gn.FunctionSpace(sample))
    options = {"heldout": heldout, "epochs": 5, "method": "lbfgs", "action": metric}
    first = gn.train(network, sample, gn.Categorical(3), weight=0.01, **options)
    then = gn.train(
        network, sample, gn.Categorical(3), weight=0.1, theta=first.theta, readout=first.readout,
        **options,
    )  # fmt: skip
    np.testing.assert_array_equal(both.thetas, [first.theta, then.theta])
    np.testing.assert_array_equal(both.readout_weights[1], then.readout.weight)
    assert (run(weights=[0.1], **short).thetas[0] != then.theta).any()


def test_the_default_weights_span_the_energy_of_plain_training():
    path = run(weights=None, epochs=20, n_steps=None)
    assert path.weights[0] == 0
    shares = path.weights[1:] * path.energies[0]
    assert shares[0] == pytest.approx(1e-3)
    assert shares[-1] == pytest.approx(10)
    np.testing.assert_allclose(np.diff(np.log(shares)), np.log(1e4) / 8)
    plain = run(weights=[0.0], epochs=20, n_steps=None)
    np.testing.assert_array_equal(path.thetas[0], plain.thetas[0])


def test_without_geodesics_or_heldout_data_nothing_is_made_up():
    path = run(weights=[0, 0.1], epochs=5, n_steps=None, heldout=None)
    for name in ("distances", "errors", "excesses", "heldout_losses", "heldout_scores"):
        assert np.isnan(getattr(path, name)).all()
        assert path.as_dict()[name] == [None, None]
    head = path.table().splitlines()[0]
    assert head.split() == ["λ", "loss", "train", "energy", "length"]


def test_of_early_stopping_the_best_is_told():
    options = {"method": "adam", "patience": 2, "epochs": 40, "learning_rate": 0.1}
    path = run(weights=[0.01], n_steps=None, **options)
    heldout = FLOWERS[1]
    z = path.readouts[0](gn.Network(gn.TanhField(4, 5), 4)(path.thetas[0], heldout))
    loss = gn.Categorical(3).negative_log_likelihood(z, heldout.labels) @ heldout.weights
    assert path.heldout_losses[0] == pytest.approx(loss, rel=1e-10)


def test_table_and_repr(path):
    lines = path.table().splitlines()
    assert len(lines) == 2 + len(path)
    assert len(set(map(len, lines))) == 1
    assert lines[0].split() == [
        "λ", "loss", "train", "held", "out", "energy", "length", "distance", "excess"
    ]  # fmt: skip
    for row, weight, length in zip(lines[2:], path.weights, path.lengths):
        assert row.split()[0] == f"{weight:.4g}"
        assert f"{length:.4g}" in row
    assert path.table() in str(path)
    assert path.metric in str(path)
    assert f"k={len(path)}" in repr(path)
    assert "\n" not in repr(path)


def test_save_and_load(path, tmp_path):
    path.save(tmp_path / "path.npz")
    again = gn.studies.LeastActionPath.load(tmp_path / "path.npz")
    assert str(again) == str(path)
    assert again.as_dict() == path.as_dict()
    np.testing.assert_array_equal(again.thetas, path.thetas)
    np.testing.assert_array_equal(again.readouts[2].bias, path.readouts[2].bias)
    np.savez(tmp_path / "other.npz", path=np.zeros(3))
    with pytest.raises(gn.InputError, match=r"other\.npz"):
        gn.studies.LeastActionPath.load(tmp_path / "other.npz")


def test_as_dict_is_json(path):
    again = json.loads(json.dumps(path.as_dict(), allow_nan=False))
    assert again["weights"] == list(path.weights)
    assert again["excesses"] == pytest.approx(list(path.excesses))
    assert again["problems"] == []


def test_a_geodesic_that_fails_is_owned_up_to(monkeypatch):
    def fail(*_, **__):
        raise gn.ConvergenceError("nothing was reached")

    monkeypatch.setattr(measuring, "geodesic", fail)
    path = run(weights=[0, 0.1], epochs=5)
    assert np.isnan(path.distances).all()
    assert np.isfinite(path.lengths).all()
    assert [p.partition(":")[0] for p in path.problems] == ["λ = 0", "λ = 0.1"]
    assert "nothing was reached" in str(path)
    assert "problems=2" in repr(path)


def test_a_distance_above_the_length_is_a_problem(monkeypatch):
    import dataclasses

    honest = measuring.geodesic

    def stretched(*args, **options):
        geo = honest(*args, **options)
        return dataclasses.replace(geo, distance=2 * geo.distance)

    monkeypatch.setattr(measuring, "geodesic", stretched)
    path = run(weights=[0.1], epochs=40)
    (problem,) = path.problems
    assert "below the distance" in problem


@pytest.mark.parametrize(
    ("says", "weights", "options"),
    [
        ("weights: .*below zero.*-1", [-1, 0], {}),
        ("weights: .*increase", [0, 0], {}),
        ("weights: .*increase", [1, 0.1], {}),
        ("weights: .*at least one", [], {}),
        ("weights: .*NaN", [np.nan], {}),
        ("weights: .*1 axes", 0.1, {}),
        ("n_steps: .*multiple of 4", [0], {"n_steps": 10}),
        ("action: ", [0], {"action": None}),
        ("weight: ", [0], {"weight": 1}),
        ("epochs: ", [0], {"epochs": 0}),
    ],
)
def test_bad_paths_are_refused(says, weights, options):
    with pytest.raises(gn.InputError, match=f"^{says}"):
        run(weights=weights, **options)


def test_a_path_needs_a_metric():
    with pytest.raises(gn.InputError, match=r"^metric: .*L2Metric.*None"):
        gn.studies.least_action_path(NETWORK, sample_of(), LIKELIHOOD, None)


def test_a_network_that_cannot_move_has_no_default_weights():
    still = gn.Network(gn.networks.FunctionField(lambda x, theta: 0 * x, 2, 1), 2)
    metric = gn.L2Metric(gn.FunctionSpace(sample_of()))
    with pytest.raises(gn.InputError, match=r"^weights: .*moves nothing"):
        gn.studies.least_action_path(still, sample_of(), LIKELIHOOD, metric, epochs=2)


# -- its figure -------------------------------------------------------------------------------


def dots(axis):
    return [collection.get_offsets() for collection in axis.collections]


def test_the_figure_shows_every_network_in_every_panel(path):
    figure = gn.plotting.plot_least_action(path)
    loss, accuracy, excess, _bar = figure.axes
    trained, held = dots(loss)
    np.testing.assert_allclose(trained, np.column_stack([path.lengths, path.losses]))
    np.testing.assert_allclose(held, np.column_stack([path.lengths, path.heldout_losses]))
    np.testing.assert_allclose(dots(accuracy)[1][:, 1], path.heldout_scores)
    np.testing.assert_allclose(dots(excess)[0][:, 1], path.excesses)
    colours = excess.collections[0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == len(path)
    assert path.metric.partition("(")[0] in figure.get_suptitle()
    file = io.BytesIO()
    figure.savefig(file, format="png")
    picture = imread(io.BytesIO(file.getvalue()), format="png")
    assert 0.7 < picture[..., :3].mean() < 0.995


def test_the_figure_leaves_out_what_there_is_not():
    path = run(weights=[0.1], epochs=3, n_steps=None, heldout=None)
    labels = [axis.get_ylabel() for axis in gn.plotting.plot_least_action(path).axes]
    assert labels == ["task loss", "accuracy", "λ"]
    assert "λ = 0" not in gn.plotting.plot_least_action(path).get_suptitle()
