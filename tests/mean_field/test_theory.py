"""Mean-field theory: closed Gaussian averages, and linear networks by hand."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy.special import erf
from scipy.integrate import dblquad

import geomnet as gn
from geomnet.mean_field.gaussian_expectation import mean_products
from geomnet.mean_field.order_parameters import linearised_activation
from geomnet.mean_field.theory import MeanField

ENSEMBLES = {"tanh": (3.0, 0.64), "relu": (2.0, 0.1), "gelu": (2.0, 0.1)}
each_ensemble = pytest.mark.parametrize("activation", ENSEMBLES)


def ensemble(activation, depth=3, **options):
    return MeanField(activation, depth, *ENSEMBLES[activation], **options)


# -- Gaussian averages, in closed form --------------------------------------------------------


def of_relu(a, b):
    """Arc-cosine kernels of degree one and zero (Cho & Saul 2009)."""
    root = np.sqrt((a - b) * (a + b))
    angle = np.arctan2(root, b)
    return (root + (np.pi - angle) * b) / (2 * np.pi), (np.pi - angle) / (2 * np.pi)


def of_erf(a, b):
    """Arc-sine kernel (Williams 1997), and that of a Gaussian bump."""
    wide = 1 + 2 * a
    return 2 / np.pi * np.arcsin(2 * b / wide), 4 / np.pi / np.sqrt(wide**2 - 4 * b**2)


def of_sine(a, b):
    return np.exp(-a) * np.sinh(b), np.exp(-a) * np.cosh(b)


CLOSED = {
    "identity": ("identity", lambda a, b: (b, 1.0)),
    "relu": ("relu", of_relu),
    "relu by autograd": (lambda u: anp.maximum(u, 0.0), of_relu),
    "modulus": (anp.abs, lambda a, b: (4 * of_relu(a, b)[0] - b, 4 * of_relu(a, b)[1] - 1)),
    "erf": (erf, of_erf),
    "sine": (anp.sin, of_sine),
    "parabola": (lambda u: u**2, lambda a, b: (a**2 + 2 * b**2, 4 * b)),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("own", [2.0, 1e-2, 1e-6, 1e-12, 0.0])
@pytest.mark.parametrize("shared", [1e-3, 0.6, 5.0])
def test_averages_are_the_closed_forms_at_every_correlation(name, own, shared):
    activation, closed = CLOSED[name]
    a, b = shared + own, shared
    value, slope, error = mean_products(linearised_activation(activation), a, b)
    # an angle near zero is the root of a − b, and a − b has lost digits of its own
    lost = 1e-16 * a / own if own else 0.0
    expected = closed(a, b)
    np.testing.assert_allclose((value, slope), expected, rtol=1e-12 + lost)
    assert error < 1e-12


@pytest.mark.parametrize("variance", [1e-4, 1.0, 30.0, 3000.0])
def test_averages_of_independent_pairs_and_of_wide_pairs(variance):
    for name in ("relu", "erf", "identity"):
        activation, closed = CLOSED[name]
        for covariance in (0.0, 0.1 * variance, variance):
            *averages, error = mean_products(
                linearised_activation(activation), variance, covariance
            )
            expected = closed(variance, covariance)
            np.testing.assert_allclose(averages, expected, rtol=1e-12, atol=1e-30)
            assert error < 1e-12


@pytest.mark.parametrize("activation", ["tanh", "gelu", "gelu_tanh", "logistic", "silu"])
def test_averages_are_the_double_integral_over_the_plane(activation):
    a, b = 1.7, 0.5
    linearise = linearised_activation(activation)
    factor = np.linalg.cholesky([[a, b], [b, a]])

    def integrand(y, x, part):
        u = factor @ [x, y]
        both = linearise(u.copy())[part]
        return both[0] * both[1] * np.exp(-(x * x + y * y) / 2) / (2 * np.pi)

    averages = mean_products(linearise, a, b)
    for part in (0, 1):
        # the trapezoidal rule converges exponentially on the plane: every fourth point is enough
        grid = np.linspace(-9, 9, 181)
        h = grid[1] - grid[0]
        x, y = np.meshgrid(grid, grid)
        u, v = factor[0, 0] * x, factor[1, 0] * x + factor[1, 1] * y
        product = linearise(u.copy())[part] * linearise(v.copy())[part]
        total = h * h * np.sum(product * np.exp(-(x**2 + y**2) / 2)) / (2 * np.pi)
        assert averages[part] == pytest.approx(total, rel=1e-10)
        rough, _ = dblquad(integrand, -5, 5, -5, 5, args=(part,), epsabs=1e-4, epsrel=1e-4)
        assert averages[part] == pytest.approx(rough, rel=1e-3)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "gelu_tanh", "logistic", "silu", "relu"])
def test_derivative_of_an_average_in_the_covariance_is_that_of_the_slopes(activation):
    # Price's theorem: ∂I_φ/∂b = I_φ'
    linearise = linearised_activation(activation)
    a, b, h = 2.0, 0.7, 1e-3
    at = [mean_products(linearise, a, b + t * h)[0] for t in (-2, -1, 1, 2)]
    derivative = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
    assert derivative == pytest.approx(mean_products(linearise, a, b)[1], rel=1e-9)


def test_kinks_away_from_zero_are_named_or_noticed():
    clipped = lambda u: anp.clip(u, -0.7, 0.7)  # noqa: E731
    named = MeanField(clipped, 3, 2.0, 0.1, kinks=(-0.7, 0.7))
    with pytest.raises(gn.ConvergenceError, match="kinks"):
        _ = MeanField(clipped, 3, 2.0, 0.1).kappa_1
    # E[φ'²] is the probability of the interval
    inside = mean_products(linearised_activation(clipped), 2.1, 2.1, (-0.7, 0.7))[1]
    assert inside == pytest.approx(float(erf(0.7 / np.sqrt(4.2))), rel=1e-13)
    assert named.order_parameters.error < 1e-13


def test_steep_activations_are_resolved():
    steep = linearised_activation(lambda u: erf(50.0 * u))
    value, slope, error = mean_products(steep, 2.0, 0.7)
    # of 50u, whose variances are 2500 times as large
    expected = of_erf(2.0 * 2500, 0.7 * 2500)
    np.testing.assert_allclose((value, slope / 2500), expected, rtol=1e-12)
    assert error < 1e-12


def test_an_activation_that_grows_too_fast_is_noticed():
    with pytest.raises(gn.ConvergenceError, match="weight_variance"):
        _ = MeanField(anp.exp, 3, 1.0, 0.1).kappa_2


# -- order parameters and κ -------------------------------------------------------------------


def test_linear_network_by_hand():
    w, b, ratios = 1.3, 0.2, (0.5, 2.0, 3.0)
    theory = MeanField("identity", 3, w, b, width_ratios=ratios)
    alpha = 2.0 * 0.5 + 3.0 * 2.0
    lengths = [1.0, w + b, w * (w + b) + b]
    angles = [0.0, b, w * b + b]
    assert theory.alpha == alpha
    for kappa, q in ((theory.kappa_1, lengths), (theory.kappa_2, angles)):
        expected = (0.5 * w**2 * q[0] + 2.0 * w * q[1] + 3.0 * q[2]) / alpha
        assert kappa == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("depth", [2, 3, 30])
def test_relu_network_by_the_arc_cosine_kernel(depth):
    w, b = 2.0, 0.05
    ratios = np.linspace(1.0, 2.0, depth)
    theory = MeanField("relu", depth, w, b, width_ratios=ratios)
    q_1, q_2, hat, slopes = 1.0, 0.0, [[1.0, 0.0]], []
    for _ in range(depth - 1):
        q_1, q_2 = w * q_1 + b, w * q_2 + b
        (q_2, slope), q_1 = of_relu(q_1, q_2), q_1 / 2
        hat.append([q_1, q_2])
        slopes.append([w / 2, w * slope])
    tilde = [np.prod([[1.0, 1.0], *slopes[layer:]], axis=0) for layer in range(depth)]
    kappa = ratios @ np.multiply(hat, tilde) / (ratios[1:] @ ratios[:-1])
    np.testing.assert_allclose([theory.kappa_1, theory.kappa_2], kappa, rtol=1e-11)


@pytest.mark.parametrize(
    ("activation", "kappa_1", "kappa_2", "largest"),
    [
        ("tanh", 0.95552, 0.11861, 254.0),
        ("relu", 1.57500, 0.40149, 826.5),
        ("gelu", 1.43062, 0.27040, 564.0),
    ],
)
def test_reference_numbers(activation, kappa_1, kappa_2, largest):
    theory = ensemble(activation)
    assert theory.kappa_1 == pytest.approx(kappa_1, abs=6e-6)
    assert theory.kappa_2 == pytest.approx(kappa_2, abs=6e-6)
    assert theory.largest_eigenvalue(1000, 100) == pytest.approx(largest, abs=0.06)


def test_odd_activation_without_biases_forgets_which_inputs_it_compares():
    theory = MeanField("tanh", 4, 1.5)
    assert theory.kappa_2 == pytest.approx(0.0, abs=1e-15)
    assert theory.kappa_1 > 0


def test_a_callable_is_its_named_twin():
    named = ensemble("tanh")
    by_autograd = MeanField(anp.tanh, 3, *ENSEMBLES["tanh"])
    assert by_autograd.kappa_1 == pytest.approx(named.kappa_1, rel=1e-13)
    assert by_autograd.kappa_2 == pytest.approx(named.kappa_2, rel=1e-13)


# -- the spectrum -----------------------------------------------------------------------------


@each_ensemble
@pytest.mark.parametrize(("n", "outputs"), [(1, 1), (7, 1), (12, 3)])
def test_statistics_are_those_of_the_gram_matrix_of_two_numbers(activation, n, outputs):
    theory, width = ensemble(activation, width_ratios=(1.0, 2.0, 0.5)), 50
    count = theory.alpha * width**2
    one = np.full((n, n), theory.kappa_2) + (theory.kappa_1 - theory.kappa_2) * np.eye(n)
    gram = np.kron(np.eye(outputs), theory.alpha * width * one / n)
    spectrum = np.concatenate([np.linalg.eigvalsh(gram), np.zeros(int(count) - n * outputs)])
    close = {"rel": 1e-11}
    largest = theory.largest_eigenvalue(width, n, outputs)
    assert largest == pytest.approx(spectrum.max(), **close)
    assert theory.mean_eigenvalue(width, outputs) == pytest.approx(spectrum.mean(), **close)
    second = theory.second_moment(width, outputs, n)
    assert second == pytest.approx(np.mean(spectrum**2), **close)
    assert theory.variance(width, outputs, n) == pytest.approx(spectrum.var(), **close)
    for threshold in (1e-9, 0.1, 0.99 * largest):
        bound = theory.count_above(threshold, width, outputs)
        assert np.sum(spectrum >= threshold) <= bound <= count
    # gradient descent shrinks the top direction just below the critical step
    step = theory.critical_learning_rate(width, n, outputs)
    assert abs(1 - 0.99 * step * spectrum.max()) < 1 < abs(1 - 1.01 * step * spectrum.max())


# -- drawn networks ---------------------------------------------------------------------------


def test_drawn_networks_have_the_variances_of_the_ensemble():
    theory = MeanField("relu", 3, 2.0, 0.3, width_ratios=(0.5, 1.0, 2.0))
    assert theory.widths(200, outputs=300) == (100, 200, 400, 300)
    network, theta = theory.draw(200, outputs=300, seed=4)
    weights, biases = network.unpack(theta)
    for w, b, fan_in in zip(weights, biases, (100, 200, 400), strict=True):
        assert fan_in * w.var() == pytest.approx(2.0, abs=6 * 2.0 * np.sqrt(2 / w.size))
        assert b.var() == pytest.approx(0.3, abs=6 * 0.3 * np.sqrt(2 / b.size))
    np.testing.assert_array_equal(theory.draw(200, 300, seed=4)[1], theta)
    assert not np.array_equal(theory.draw(200, 300, seed=5)[1], theta)


def test_a_drawn_network_of_a_callable_is_that_of_its_named_twin():
    network, theta = ensemble("tanh").draw(9, outputs=2, seed=1)
    function, same = MeanField(anp.tanh, 3, *ENSEMBLES["tanh"]).draw(9, outputs=2, seed=1)
    np.testing.assert_array_equal(same, theta)
    points = np.random.default_rng(0).normal(size=(4, 9))
    np.testing.assert_allclose(function(theta, points), network(theta, points), rtol=1e-13)


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"activation": "softmax"}, "activation"),
        ({"activation": 3}, "activation"),
        ({"activation": lambda u: anp.sum(u)}, "activation"),
        ({"activation": lambda u: u - anp.mean(u)}, "activation"),
        ({"activation": anp.log}, "activation"),
        ({"activation": lambda u: float(u)}, "autograd.numpy"),
        ({"depth": 1}, "depth"),
        ({"depth": 2.5}, "depth"),
        ({"weight_variance": 0.0}, "weight_variance"),
        ({"weight_variance": np.nan}, "weight_variance"),
        ({"bias_variance": -0.1}, "bias_variance"),
        ({"width_ratios": (1.0, 1.0)}, "width_ratios"),
        ({"width_ratios": (1.0, 0.0, 1.0)}, "width_ratios"),
        ({"kinks": 0.0}, "kinks"),
    ],
)
def test_bad_ensembles_are_named(options, name):
    arguments = {"activation": "tanh", "depth": 3, "weight_variance": 1.0, **options}
    with np.errstate(all="ignore"), pytest.raises(gn.InputError, match=name):
        MeanField(**arguments)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda theory: theory.mean_eigenvalue(0), "width"),
        (lambda theory: theory.mean_eigenvalue(10, outputs=0), "outputs"),
        (lambda theory: theory.second_moment(10, 1, 0), "n"),
        (lambda theory: theory.largest_eigenvalue(10, 2.5), "n"),
        (lambda theory: theory.count_above(0.0, 10), "threshold"),
        (lambda theory: theory.draw(10.0), "width"),
    ],
)
def test_bad_sizes_are_named(call, name):
    with pytest.raises(gn.InputError, match=f"^{name}:"):
        call(ensemble("tanh"))


def test_overflow_is_named():
    with pytest.raises(gn.InputError, match="weight_variance"):
        _ = MeanField("relu", 30, 1e15).kappa_1
    with pytest.raises(gn.InputError, match="weight_variance"):
        _ = MeanField("tanh", 30, 1e30).kappa_1
