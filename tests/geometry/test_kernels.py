"""Kernels: their formulas, slopes, positivity and invariances; features tend to the Gaussian."""

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import KERNELS, RADIAL_KERNELS
from sklearn.gaussian_process import kernels as peers

import geomnet as gn
from geomnet.geometry.kernels import median_distance, radial_kernel

each_kernel = pytest.mark.parametrize("kernel", KERNELS)
each_radial_kernel = pytest.mark.parametrize("kernel", RADIAL_KERNELS)


def cloud(n=9, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2))


@each_kernel
def test_matrix_is_the_formula_entry_by_entry(kernel):
    points, others = cloud(), cloud(n=5, seed=1)
    np.testing.assert_allclose(
        kernel.matrix(points), oracles.kernel_matrix(kernel, points, points), atol=1e-14
    )
    np.testing.assert_allclose(
        kernel.matrix(points, others), oracles.kernel_matrix(kernel, points, others), atol=1e-14
    )


@each_kernel
def test_matrix_is_symmetric_and_positive_definite(kernel):
    matrix = kernel.matrix(cloud())
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    assert np.linalg.eigvalsh(matrix)[0] > 1e-8 * np.trace(matrix)


@each_kernel
def test_leading_axes_are_a_batch(kernel):
    stack = np.stack([[cloud(seed=i + 3 * j) for i in range(3)] for j in range(2)])
    batched = kernel.matrix(stack)
    assert batched.shape == (2, 3, 9, 9)
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(batched[index], kernel.matrix(stack[index]), atol=1e-14)


@each_kernel
def test_autograd_passes_through_the_matrix(kernel):
    points, weights = cloud(), cloud(n=81, seed=5)[:, 0].reshape(9, 9)

    def total(points):
        return anp.sum(weights * kernel.matrix(points))

    def total_by_loops(points):
        return np.sum(weights * oracles.kernel_matrix(kernel, points, points))

    np.testing.assert_allclose(
        autograd.grad(total)(points), oracles.numerical_gradient(total_by_loops, points), atol=1e-9
    )


@each_radial_kernel
def test_coinciding_points_have_kernel_one_and_no_slope(kernel):
    points = np.ones((2, 2))
    np.testing.assert_allclose(kernel.matrix(points), np.ones((2, 2)), rtol=1e-15)
    slope = autograd.grad(lambda x: anp.sum(kernel.matrix(x)))(points)
    np.testing.assert_array_equal(slope, np.zeros((2, 2)))


@each_radial_kernel
def test_no_kernel_exceeds_its_value_at_zero(kernel):
    # two far clusters, where squared distances of neighbours are differences of large numbers
    points = cloud(n=40, seed=4) * 1e-6 + np.where(np.arange(40) % 2, 3e3, -1e3)[:, None]
    matrix = kernel.matrix(points)
    assert matrix.max() <= 1.0
    np.testing.assert_allclose(matrix[::2, ::2], 1.0, atol=1e-7)
    np.testing.assert_array_equal(matrix[::2, 1::2], 0.0)


@each_radial_kernel
def test_rigid_motions_change_nothing(kernel):
    points = cloud()
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(
        kernel.matrix(points @ turn.T + 1e4), kernel.matrix(points), atol=1e-10
    )


@each_radial_kernel
def test_width_is_the_unit_of_length(kernel):
    wider = kernel.__class__(7 * kernel.width)
    np.testing.assert_allclose(wider.matrix(7 * cloud()), kernel.matrix(cloud()), atol=1e-14)


@pytest.mark.parametrize(
    ("kernel", "peer"),
    [
        (gn.GaussianKernel(0.8), peers.RBF(0.8)),
        (gn.Matern32Kernel(1.3), peers.Matern(1.3, nu=1.5)),
        (gn.geometry.Matern52Kernel(0.6), peers.Matern(0.6, nu=2.5)),
    ],
    ids=["gaussian", "matern32", "matern52"],
)
def test_radial_kernels_are_those_of_scikit_learn(kernel, peer):
    points, others = cloud(), cloud(n=4, seed=8)
    np.testing.assert_allclose(kernel.matrix(points), peer(points), atol=1e-14)
    np.testing.assert_allclose(kernel.matrix(points, others), peer(points, others), atol=1e-14)


@each_radial_kernel
def test_profile_slopes_are_the_derivatives_of_the_profile(kernel):
    rho = np.array([1e-6, 1e-3, 0.1, 0.5, 1.0, 4.0, 30.0])
    first, second = kernel.profile_slopes(rho)
    by_autograd = autograd.elementwise_grad(kernel.profile)
    np.testing.assert_allclose(first, by_autograd(rho), rtol=1e-9)
    np.testing.assert_allclose(second, autograd.elementwise_grad(by_autograd)(rho), rtol=1e-7)
    far = rho[2:]
    np.testing.assert_allclose(
        first[2:], oracles.central_difference(kernel.profile, far, far, 1e-4) / far, rtol=1e-8
    )


@each_radial_kernel
def test_profile_slopes_at_zero_are_finite(kernel):
    first, second = kernel.profile_slopes(np.array([0.0, 1e-12]))
    assert np.isfinite(second).all()
    assert first[0] == pytest.approx(first[1], rel=1e-5)
    assert first[0] < 0


@each_radial_kernel
def test_width_is_the_median_distance_unless_given(kernel):
    points = cloud(n=8)
    pairs = [np.linalg.norm(points[i] - points[j]) for i in range(8) for j in range(i)]
    free = kernel.__class__()
    assert free.resolve(points).width == pytest.approx(np.median(pairs), rel=1e-14)
    assert kernel.resolve(points) == kernel


def test_median_distance_of_few_and_of_equal_points():
    assert median_distance(np.ones((1, 2))) == 1.0
    assert median_distance(np.ones((4, 2))) == 1.0
    assert median_distance(np.array([[0.0, 0.0], [3.0, 4.0]])) == 5.0


def test_median_distance_of_many_points():
    # two uniform numbers in [0, 1] differ by less than t with probability 2t − t²
    points = np.random.default_rng(0).uniform(size=(3100, 1))
    assert median_distance(points) == pytest.approx(1 - np.sqrt(0.5), rel=0.03)


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf, "wide"])
@each_radial_kernel
def test_bad_widths_are_refused(kernel, width):
    with pytest.raises(gn.InputError, match=r"^width: "):
        kernel.__class__(width)


@each_radial_kernel
def test_a_kernel_without_width_says_so(kernel):
    with pytest.raises(gn.InputError, match=r"^width: "):
        kernel.__class__().matrix(cloud())


@each_radial_kernel
def test_kernels_have_names(kernel):
    assert radial_kernel(kernel.name, kernel.width) == kernel


@pytest.mark.parametrize(("name", "says"), [("cauchy", "matern52"), ("matern12", "collide")])
def test_other_names_are_refused(name, says):
    with pytest.raises(gn.InputError, match=f"^kernel: .*{says}"):
        radial_kernel(name)


# -- kernels of features ----------------------------------------------------------------------


def test_feature_kernel_tends_to_the_gaussian():
    # each entry is a mean of independent terms: its error falls with the root of the width
    points = cloud(n=20)
    limit = oracles.kernel_matrix(gn.GaussianKernel(0.7), points, points)

    def error(width):
        field = gn.networks.RandomFeatureField(dim=2, width=width, scale=0.7, seed=0)
        return np.sqrt(np.mean((gn.geometry.FeatureKernel(field).matrix(points) - limit) ** 2))

    widths = np.array([100, 500, 2500, 12500])
    errors = np.array([error(width) for width in widths])
    slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.1)
    assert errors[-1] < 0.01


def test_feature_kernel_has_the_rank_of_its_features():
    kernel = gn.geometry.FeatureKernel(gn.networks.RandomFeatureField(dim=2, width=4, seed=0))
    assert np.linalg.matrix_rank(kernel.matrix(cloud())) == 4


@pytest.mark.parametrize("shape", ["diagonal", "full"])
def test_effort_weighs_the_features(shape):
    rng = np.random.default_rng(2)
    root = rng.normal(size=(6, 6))
    effort = rng.uniform(0.5, 3, size=6) if shape == "diagonal" else root @ root.T + np.eye(6)
    kernel = gn.geometry.FeatureKernel(
        gn.networks.RandomFeatureField(dim=2, width=6, seed=0), effort
    )
    np.testing.assert_allclose(
        kernel.matrix(cloud()), oracles.kernel_matrix(kernel, cloud(), cloud()), atol=1e-13
    )


def test_least_effort_is_the_energy_of_the_kernel():
    # of all Θ with ΨΘ = v the least tr ΘᵀRΘ is vᵀK⁻¹v
    rng = np.random.default_rng(3)
    field = gn.networks.RandomFeatureField(dim=2, width=12, seed=1)
    effort = rng.uniform(0.5, 3, size=12)
    velocity = rng.normal(size=(9, 2))
    scaled = field.features(cloud()) / np.sqrt(effort)
    least = np.linalg.lstsq(scaled, velocity, rcond=None)[0]
    np.testing.assert_allclose(scaled @ least, velocity, atol=1e-8)
    matrix = gn.geometry.FeatureKernel(field, effort).matrix(cloud())
    energy = np.sum(velocity * np.linalg.solve(matrix, velocity))
    assert energy == pytest.approx(np.sum(least**2), rel=1e-7)


@pytest.mark.parametrize(
    "effort",
    [
        [1.0, 0.0],
        [1.0, -1.0],
        [[1.0, 2.0], [2.0, 1.0]],
        [[2.0, 1.0], [0.0, 2.0]],
        [1.0, np.nan],
        ["heavy", "light"],
        np.eye(2)[None],
        [[1.0, 0.0]],
    ],
    ids=["zero", "negative", "indefinite", "asymmetric", "nan", "text", "cube", "oblong"],
)
def test_bad_efforts_are_refused(effort):
    with pytest.raises(gn.InputError, match=r"^effort: "):
        gn.geometry.FeatureKernel(gn.networks.RandomFeatureField(dim=2, width=2), effort)


def test_a_field_without_features_is_refused():
    with pytest.raises(gn.InputError, match=r"^field: .*features"):
        gn.geometry.FeatureKernel(gn.TanhField(dim=2, width=4))
