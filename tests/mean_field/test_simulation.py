"""Drawn networks: their spectra are measured exactly, and follow mean-field theory."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import geomnet as gn
from geomnet.mean_field.theory import MeanField

ENSEMBLES = {"tanh": (3.0, 0.64), "relu": (2.0, 0.1), "gelu": (2.0, 0.1)}


def ensemble(activation, depth=3, **options):
    return MeanField(activation, depth, *ENSEMBLES[activation], **options)


def dense_fisher(network, theta, points):
    """(1/n) Σ JᵀJ, by autograd."""
    jacobian = autograd.jacobian(lambda t: network(t, points))(theta)
    rows = jacobian.reshape(-1, theta.size)
    return rows.T @ rows / len(points)


@pytest.mark.parametrize("activation", ["tanh", anp.tanh], ids=["named", "callable"])
def test_simulated_statistics_are_those_of_the_dense_matrix(activation):
    theory = MeanField(activation, 3, *ENSEMBLES["tanh"], width_ratios=(0.5, 1.0, 1.5))
    simulated = theory.simulate(8, 5, outputs=2, networks=2, seed=3)
    twin = MeanField(anp.tanh, 3, *ENSEMBLES["tanh"], width_ratios=(0.5, 1.0, 1.5))
    for k in range(2):
        rng = np.random.default_rng([3, k])
        network, theta = twin.draw(8, 2, rng)
        spectrum = np.linalg.eigvalsh(dense_fisher(network, theta, rng.standard_normal((5, 4))))
        expected = {
            "largest_eigenvalue": spectrum[-1],
            "leading_mean": spectrum[-2:].mean(),
            "mean_eigenvalue": spectrum.mean(),
            "second_moment": np.mean(spectrum**2),
        }
        for name, value in expected.items():
            assert getattr(simulated, name).values[k] == pytest.approx(value, rel=1e-10)
    longer = theory.simulate(8, 5, outputs=2, networks=3, seed=3).largest_eigenvalue.values
    np.testing.assert_array_equal(longer[:2], simulated.largest_eigenvalue.values)


@pytest.mark.parametrize("activation", ENSEMBLES)
@pytest.mark.parametrize("outputs", [1, 3])
def test_drawn_networks_follow_the_theory_up_to_their_width(activation, outputs):
    width, networks = 500, 40
    theory = ensemble(activation, width_ratios=(1.0, 1.0, 0.7))
    simulated = theory.simulate(width, 60, outputs=outputs, networks=networks, seed=0)
    # corrections of order 1/M, larger where eigenvalues are squared
    rooms = {"leading_mean": 15, "mean_eigenvalue": 5, "second_moment": 40}
    for name, room in rooms.items():
        measured = getattr(simulated, name)
        spread = np.std(measured.values, ddof=1) / np.sqrt(networks)
        assert measured.standard_error == pytest.approx(spread)
        assert measured.mean == pytest.approx(np.mean(measured.values))
        assert measured.deviation == pytest.approx(measured.mean / measured.expected - 1)
        assert abs(measured.deviation) < room / width + 3 * spread / measured.expected
    largest, leading = simulated.largest_eigenvalue, simulated.leading_mean
    assert largest.expected == leading.expected
    if outputs == 1:
        np.testing.assert_array_equal(largest.values, leading.values)
    else:
        assert (largest.values > leading.values).all()


@pytest.mark.parametrize("activation", ENSEMBLES)
def test_largest_eigenvalue_of_wide_networks_is_within_five_percent(activation):
    measured = ensemble(activation).simulate(1000, 100, networks=20).largest_eigenvalue
    assert abs(measured.deviation) < 0.05
    assert measured.standard_error < 0.015 * measured.expected


def test_one_network_has_no_standard_error():
    simulated = ensemble("tanh").simulate(20, 5, networks=1)
    assert np.isnan(simulated.largest_eigenvalue.standard_error)
    assert "expected" in repr(simulated.largest_eigenvalue)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"n": 0}, "n"),
        ({"width": 0}, "width"),
        ({"outputs": 0}, "outputs"),
        ({"networks": 0}, "networks"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_sizes_are_named(options, name):
    arguments = {"width": 10, "n": 5, **options}
    with pytest.raises(gn.InputError, match=f"^{name}:"):
        ensemble("tanh").simulate(**arguments)
