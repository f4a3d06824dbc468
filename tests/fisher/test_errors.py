"""Bad input to Fisher information: the message names the argument, what is wrong, and the mend."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from fisher_cases import POINTS, WEIGHTS

import geomnet as gn

NETWORK = gn.FeedForward((3, 4, 4))
THETA = NETWORK.init(0)
P = NETWORK.n_parameters
CLASSES = gn.Categorical(4)
FIELD = gn.Network(gn.TanhField(3, 4), 2)
READOUT = gn.Readout(np.ones((4, 3)))


def fisher(**changes):
    """The Fisher information of a small network, one argument changed."""
    arguments = {"network": NETWORK, "theta": THETA, "sample": POINTS, "likelihood": CLASSES}
    return gn.FisherInformation(**{**arguments, **changes})


def labelled(labels):
    return {"kind": "empirical", "sample": gn.Sample(POINTS, labels=np.array(labels))}


def refused(function, message, *arguments, **options):
    with pytest.raises(gn.InputError, match=message) as caught:
        function(*arguments, **options)
    assert len(str(caught.value)) < 300
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # parameters
        ({"theta": THETA[1:]}, rf"theta: expected shape \({P},\), got \({P - 1},\)"),
        ({"theta": THETA[None]}, "theta: expected shape"),
        ({"theta": np.full(P, np.nan)}, f"theta: {P} of its {P} entries are NaN"),
        ({"theta": THETA.astype(object)}, "theta: expected real numbers"),
        ({"theta": THETA * 1j}, "theta: expected real numbers"),
        ({"theta": None}, "theta: expected real numbers"),
        ({"theta": [[1.0], [2.0, 3.0]]}, "theta: its rows have different lengths"),
        ({"network": FIELD, "theta": np.ones((1, 31))}, r"theta: expected shape \(2, 31\)"),
        ({"network": FIELD, "theta": np.ones((31, 2))}, r"theta: expected shape \(2, 31\)"),
        ({"network": FIELD, "theta": np.ones(31)}, "theta: expected shape"),
        ({"network": FIELD, "theta": [[1.0], [2.0, 3.0]]}, "theta: its rows"),
        # data
        ({"sample": POINTS[:, :2]}, "sample: has 2 columns, the network takes 3"),
        ({"sample": gn.Sample(np.ones((5, 4)))}, "sample: has 4 columns, the network takes 3"),
        ({"sample": POINTS[0]}, "(sample|points): expected 2 axes"),
        ({"sample": POINTS[:0]}, "(sample|points): expected at least one point"),
        ({"sample": np.where(POINTS > 1, np.inf, POINTS)}, "(sample|points): .* infinite"),
        ({"sample": POINTS.astype(object)}, "(sample|points): expected real numbers"),
        ({"sample": None}, "(sample|points): expected real numbers"),
        # the likelihood
        ({"likelihood": "categorical"}, r"likelihood: .*got 'categorical'"),
        ({"likelihood": gn.Categorical}, "likelihood: expected one such as"),
        ({"likelihood": gn.Categorical(5)}, "likelihood: .*takes 5 .*gives 4; .*readout"),
        ({"likelihood": gn.likelihoods.HeteroscedasticGaussian(4)},
         "likelihood: .*takes 8 .*gives 4"),
        ({"network": gn.FeedForward((3, 1)), "theta": np.ones(4), "likelihood": gn.Categorical(2)},
         r"likelihood: .*one logit for two classes goes with gn.Bernoulli\(\)"),
        # the readout
        ({"readout": np.ones((4, 4))}, "readout: expected a gn.Readout, got ndarray"),
        ({"readout": READOUT}, "readout: takes states of 3 units, the network's have 4"),
        ({"network": FIELD, "theta": np.ones(62), "readout": gn.Readout(np.ones((4, 2)))},
         "readout: takes states of 2 units, the network's have 3"),
        ({"network": gn.Network(gn.networks.FunctionField(lambda x, t: t * x, 3, 1), 2),
          "theta": np.ones(2), "readout": gn.Readout(np.ones((4, 2)))},
         "readout: takes states of 2 units"),
        ({"network": lambda theta, x: x, "readout": READOUT}, "readout: a function"),
        # the network
        ({"network": 3}, "network: expected a gn.FeedForward.*got int"),
        ({"network": lambda theta, x: x[:, 0]}, r"network: .*shape \(5, C\), got \(5,\)"),
        ({"network": lambda theta, x: x[:2]}, r"network: .*shape \(5, C\), got \(2, 3\)"),
        ({"network": lambda theta, x: None}, "network: .*must return"),
        ({"network": lambda theta, x: x / 0.0}, "network: the function's output is not finite"),
        ({"network": lambda theta, x: x, "theta": 2.0}, "theta: expected 1 axes"),
        # what overflows names the layer
        ({"network": gn.FeedForward((3, 4, 4), "relu"), "theta": np.full(P, 1e200),
          "sample": 1e200 * np.abs(POINTS)}, "theta: .*layer 0"),
        ({"network": gn.FeedForward((3, 4, 4)), "theta": np.full(P, 1e308)}, "theta: .*layer 1"),
        ({"network": gn.Network(gn.networks.LinearField(3), 2), "theta": np.full(24, 1e160),
          "sample": np.ones((5, 3)), "likelihood": gn.Gaussian(1.0, 3)}, "theta: .*layer 1"),
        ({"network": gn.Network(gn.networks.FunctionField(lambda x, t: t * x**2, 3, 1), 2),
          "theta": np.ones(2), "sample": np.full((5, 3), 1e150), "likelihood":
          gn.Gaussian(1.0, 3)}, "theta: .*layer 1"),
        ({"network": gn.FeedForward((3, 2)), "theta": np.r_[np.zeros(6), 0.0, -800.0],
          "likelihood": gn.likelihoods.HeteroscedasticGaussian(1)}, "likelihood|theta|predictions"),
        # kinds
        ({"kind": "fisher"}, "kind: unknown 'fisher'; choose from true, mc, empirical"),
        ({"kind": None}, "kind: unknown None"),
        ({"kind": "empirical"}, "sample: the empirical Fisher.* labels"),
        (labelled([0, 1, 2, 3, 4]), "labels: expected class indices 0..3"),
        (labelled([0, 1, 2, -1, 3]), "labels: expected class indices 0..3"),
        (labelled([0, 1, 2, 0.5, 3]), "labels: expected class indices 0..3"),
        (labelled(list("abcab")), "labels: .*numpy.unique"),
        ({**labelled([0.0, 1.0, 2.0, 0.0, 1.0]), "network": gn.FeedForward((3, 1)),
          "theta": np.ones(4), "likelihood": gn.Bernoulli()}, "labels: .*zeros and ones"),
        ({**labelled(list("abcab")), "network": gn.FeedForward((3, 1)), "theta": np.ones(4),
          "likelihood": gn.Gaussian()}, "targets: .*real numbers"),
        ({"kind": "mc", "n_draws": 0}, "n_draws: expected an integer, at least 1; got 0"),
        ({"kind": "mc", "n_draws": 1.5}, "n_draws: expected an integer"),
        ({"kind": "mc", "seed": -1}, "seed"),
        ({"kind": "mc", "seed": "one"}, "seed"),
        ({"memory_limit": 1000}, "memory_limit: expected an integer, at least 1048576"),
        ({"memory_limit": "1 GiB"}, "memory_limit: expected an integer"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_arguments(changes, message):
    refused(fisher, message, **changes)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("matvec", (THETA[1:],), "v: expected shape"),
        ("matvec", (THETA[:, None],), "v: expected shape"),
        ("matvec", (THETA.astype(object),), "v: expected real numbers"),
        ("matvec", (THETA * np.nan,), "v: .* NaN"),
        ("norm", (THETA[1:],), "v: expected shape"),
        ("matmat", (THETA,), "vectors: expected shape"),
        ("matmat", (np.ones((P - 1, 2)),), "vectors: expected shape"),
        ("dense", (np.zeros((P, P + 1)),), "out: expected .*float64"),
        ("dense", (np.zeros((P, P), np.float32),), "out: expected .*float64 .*got float32"),
        ("dense", (np.zeros((P, P), int),), "out: expected .*float64 .*got int"),
        ("dense", ([[0.0] * P] * P,), "out: expected"),
        ("dense", (np.broadcast_to(0.0, (P, P)),), "out"),
        ("eigvalsh", (0,), "k: expected an integer, at least 1; got 0"),
        ("eigvalsh", (2.0,), "k: expected an integer"),
        ("eigvalsh", (P + 1,), f"k: G has {P} eigenvalues, {P + 1} were asked for"),
        ("eigvalsh", (3, "qr"), "method: unknown 'qr'; choose from auto, gram, dense, lanczos"),
        ("eigvalsh", (None, "lanczos"), "k: "),
        ("eigsh", (0,), "k: expected an integer"),
        ("eigsh", (None,), "k: expected an integer"),
        ("eigsh", (16,), "k: the rank of G is at most 15, 16 were asked for"),
        ("eigsh", (2, "qr"), "method: unknown 'qr'"),
        ("log_volume", (P,), "k: .* at most 15"),
        ("log_volume", (0,), "k: expected an integer"),
        ("logdet", (0,), "damping: expected a finite number above zero, got 0"),
        ("logdet", (-0.1,), "damping: .*got -0.1"),
        ("logdet", (np.nan,), "damping: .*got nan"),
        ("logdet", (np.inf,), "damping: .*got inf"),
        ("logdet", ("much",), "damping: .*got 'much'"),
        ("logdet", (None,), "damping: .*got None"),
        ("logdet", (0.1, False, "gram"), "method: unknown 'gram'; choose from auto, exact, stoch"),
        ("solve", (THETA[1:], 0.1), "b: expected shape"),
        ("solve", (THETA.astype(object), 0.1), "b: expected real numbers"),
        ("solve", (THETA, 0.0), "damping: expected a finite number above zero"),
        ("solve", (THETA, -1), "damping: .*got -1"),
        ("solve", (THETA, 0.1, "lu"), "method: unknown 'lu'; choose from auto, cholesky, cg"),
        ("loss", (), "sample: .*labels"),
        ("gradient", (), "sample: .*labels"),
        ("at", (THETA[1:],), "theta: expected shape"),
        ("at", (np.full(P, np.inf),), "theta: .* infinite"),
    ],
)
def test_bad_arguments_of_methods(method, arguments, message):
    refused(getattr(fisher(), method), message, *arguments)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("matvec", (THETA[1:],), "v: expected shape"),
        ("solve", (THETA[1:], 0.1), "b: expected shape"),
        ("solve", (THETA, 0), "damping: expected"),
        ("logdet", (0,), "damping: expected"),
    ],
)
def test_bad_arguments_of_kronecker_factors(method, arguments, message):
    refused(getattr(fisher().kfac(), method), message, *arguments)


def test_too_few_probes():
    refused(fisher().logdet, "probes: expected an integer, at least 2", 0.1, probes=1)


@pytest.mark.parametrize("method", ["matvec", "norm", "matmat", "solve", "theta", "sample"])
def test_boxes_of_autograd(method):
    """Nothing is differentiated through: object arrays would only be slow."""
    found = fisher()

    def scalar(v):
        if method in ("theta", "sample"):
            return fisher(**{method: v}).trace()
        if method == "matmat":
            return anp.sum(found.matmat(v[:, None]))
        return anp.sum(found.solve(v, 0.1) if method == "solve" else getattr(found, method)(v))

    at = POINTS if method == "sample" else THETA
    refused(autograd.grad(scalar), ": expected real numbers", at)


@pytest.mark.parametrize(
    ("method", "arguments", "size"),
    [
        ("dense", (), 8 * 2410**2),
        ("blocks", (), 8 * (2080**2 + 330**2)),
        ("dual_gram", (), 8 * (9 * 100) ** 2),
        ("eigvalsh", (None, "dense"), 8 * 2410**2),
        ("eigvalsh", (None, "gram"), 8 * (9 * 100) ** 2),
    ],
)
def test_what_takes_too_much_memory(method, arguments, size):
    sample = np.random.default_rng(0).normal(size=(100, 64))
    network = gn.FeedForward((64, 32, 10))
    theta = network.init(0)
    found = gn.FisherInformation(network, theta, sample, gn.Categorical(10), memory_limit=2**20)
    message = refused(getattr(found, method), "memory_limit: ", *arguments)
    assert f"{size} bytes" in message
    assert "1048576" in message
    assert ";" in message


def test_the_dense_matrix_may_lie_elsewhere(tmp_path):
    """A file that is given has no limit."""
    sample = np.random.default_rng(0).normal(size=(20, 20))
    network = gn.FeedForward((20, 16, 5))
    theta = network.init(0)
    small, whole = (
        gn.FisherInformation(network, theta, sample, gn.Categorical(5), memory_limit=limit)
        for limit in (2**20, 2**30)
    )
    refused(small.dense, "memory_limit")
    out = np.memmap(tmp_path / "matrix", np.float64, "w+", shape=small.shape)
    np.testing.assert_allclose(small.dense(out=out), whole.dense(), rtol=0, atol=1e-15)


def test_what_is_given_is_not_changed_nor_followed():
    theta, points = THETA.copy(), POINTS.copy()
    found = fisher(theta=theta, sample=points)
    v = np.arange(float(P))
    before = found.matvec(v), found.trace(), found.fisher_rao_norm(), found.dense()
    np.testing.assert_array_equal(theta, THETA)
    np.testing.assert_array_equal(points, POINTS)
    theta[:] = points[:] = 0.0
    after = found.matvec(v), found.trace(), found.fisher_rao_norm(), found.dense()
    for one, other in zip(before, after):
        np.testing.assert_array_equal(one, other)
    found.eigvalsh()[:] = 0
    found.dense()[:] = 0
    assert found.eigvalsh().sum() == pytest.approx(before[1])


def test_targets_beside_labels():
    """Of labels and a target, the empirical Fisher takes what the likelihood takes."""
    network = gn.FeedForward((3, 3))
    labels, target = np.array([0, 1, 2, 0, 1]), np.sin(POINTS)
    both = gn.Sample(POINTS, WEIGHTS, labels=labels, target=target)
    for likelihood, one in (
        (gn.Categorical(3), gn.Sample(POINTS, WEIGHTS, labels=labels)),
        (gn.Gaussian(0.5, 3), gn.Sample(POINTS, WEIGHTS, target=target)),
    ):
        found, expected = (
            gn.FisherInformation(network, network.init(0), sample, likelihood, kind="empirical")
            for sample in (both, one)
        )
        np.testing.assert_array_equal(found.diag(), expected.diag())
