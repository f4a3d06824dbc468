"""Result: results, geomstats' log solver."""

from dataclasses import replace

import numpy as np
import pytest
from cases import (
    END,
    ENERGY_METRICS,
    LINE,
    SPACE,
)
from geodesics_common import START, each_bad_map, one_of_each, order, places, solve

import geomnet as gn

# -- results ----------------------------------------------------------------------------------


def test_a_geodesic_is_a_function_of_time():
    metric = ENERGY_METRICS[1].values[0]
    geo = solve(metric)
    np.testing.assert_array_equal(geo(0), START)
    np.testing.assert_allclose(geo(1), END, rtol=1e-14)
    times = np.linspace(0, 1, 17)
    assert geo(times).shape == (17, *SPACE.shape)
    np.testing.assert_allclose(geo(times), geo.path, atol=1e-14)
    assert geo(0.3).shape == SPACE.shape


def test_interpolation_is_of_order_four():
    # between the states of samples of one smooth path
    metric = ENERGY_METRICS[1].values[0]
    geo = solve(metric, n_steps=128)
    times, errors = np.linspace(0, 1, 57), []
    steps = [8, 16, 32]
    for n in steps:
        errors.append(np.abs(replace(geo, path=geo.path[:: 128 // n])(times) - geo(times)).max())
    assert order(steps, errors) >= 3.5


@pytest.mark.parametrize("t", [-0.1, 1.0001, [0.5, 2.0], np.nan, [0.5, np.nan]])
def test_times_outside_are_refused(t):
    with pytest.raises(gn.InputError, match=r"^t: "):
        solve(gn.L2Metric(SPACE))(t)


def test_the_curve_is_the_polygon_of_the_path():
    geo = solve(ENERGY_METRICS[1].values[0])
    assert isinstance(geo.curve, gn.Curve)
    np.testing.assert_array_equal(geo.curve.states, geo.path)
    assert geo.curve.length(geo.metric) == pytest.approx(geo.distance, rel=1e-3)


def test_excess_of_other_curves_is_refused():
    geo = solve(gn.L2Metric(SPACE))
    with pytest.raises(gn.InputError, match=r"^curve: its start"):
        geo.excess(gn.Curve([END, END]))
    with pytest.raises(gn.InputError, match=r"^curve: its end"):
        geo.excess(gn.Curve([START, START]))
    with pytest.raises(gn.InputError, match=r"^curve: its start"):
        geo.excess(gn.Curve([START[:2], END[:2]]))


def test_excess_over_no_distance():
    geo = gn.geodesic(gn.L2Metric(SPACE), START, START)
    assert geo.excess(gn.Curve([START, START])) == 1.0
    assert geo.excess(gn.Curve([START, END, START])) == np.inf


@one_of_each
def test_results_are_the_same_every_time(metric):
    first, again = gn.geodesic(metric, START, END), gn.geodesic(metric, START, END)
    np.testing.assert_array_equal(first.path, again.path)
    np.testing.assert_array_equal(first.initial_velocity, again.initial_velocity)
    assert first.certificate == again.certificate
    assert repr(first) == repr(again)


def test_repr_tells_the_distance_its_error_and_the_certificate():
    geo = gn.geodesic(ENERGY_METRICS[1].values[0], START, END)
    for part in (
        f"{geo.distance:.8g} ± {geo.error_estimate:.1e}",
        "n_steps=16, n=5, dim=2",
        "converged",
        "locally shortest",
        "PathNewtonCG",
    ):
        assert part in repr(geo)


@one_of_each
def test_save_and_load(metric, tmp_path):
    geo = gn.geodesic(metric, START, END)
    geo.save(tmp_path / "geodesic.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["geodesic.npz"]
    loaded = gn.geodesics.Geodesic.load(tmp_path / "geodesic.npz")
    for name in ("path", "initial_velocity"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(geo, name))
    for name in ("length", "distance", "energy", "certificate", "status", "method"):
        assert getattr(loaded, name) == getattr(geo, name)
    assert loaded.metric is None
    assert repr(loaded) == repr(geo)
    np.testing.assert_array_equal(loaded(0.3), geo(0.3))
    with pytest.raises(gn.InputError, match=r"^metric: .*loaded"):
        loaded.excess(geo.curve)


def no_geodesics(folder):
    """Files that hold no geodesic, by name."""
    geo = gn.geodesic(gn.L2Metric(LINE), LINE.identity, LINE.identity + 1)
    geo.save(folder / "good.npz")
    good = (folder / "good.npz").read_bytes()
    arrays = {"path": np.zeros((9, 1, 1)), "initial_velocity": np.zeros((1, 1))}
    np.save(folder / "array.npy", np.zeros(3))
    np.savez(folder / "other.npz", points=np.zeros((3, 2)))
    np.savez(folder / "headless.npz", **arrays)
    np.savez(folder / "list.npz", **arrays, header="[1]")
    np.savez(folder / "text.npz", **arrays, header="not json")
    np.savez(folder / "bare.npz", **arrays, header='{"length": 1.0}')
    np.savez(folder / "empty_certificate.npz", **arrays, header='{"certificate": {}}')
    np.savez(
        folder / "pickled.npz", **{**arrays, "path": np.array([{}], dtype=object)}, header="{}"
    )
    (folder / "text.txt").write_text("a geodesic")
    (folder / "nothing.npz").write_bytes(b"")
    (folder / "cut.npz").write_bytes(good[: len(good) // 2])
    middle = len(good) // 3
    (folder / "damaged.npz").write_bytes(good[:middle] + b"\x00" * 40 + good[middle + 40 :])
    return ["missing.npz", ".", *sorted(p.name for p in folder.iterdir() if p.stem != "good")]


def test_files_that_hold_no_geodesic_are_refused(tmp_path):
    names = no_geodesics(tmp_path)
    assert len(names) == 14
    for name in names:
        with pytest.raises(gn.InputError, match=r"^path: .*no saved geodesic"):
            gn.geodesics.Geodesic.load(tmp_path / name)
    with pytest.raises(gn.InputError, match=r"^path: "):
        gn.geodesics.Geodesic.load(None)
    assert gn.geodesics.Geodesic.load(tmp_path / "good.npz").distance == pytest.approx(1)


def test_a_folder_that_is_missing_is_told(tmp_path):
    geo = solve(gn.L2Metric(SPACE))
    with pytest.raises(gn.InputError, match=r"^path: cannot write"):
        geo.save(tmp_path / "missing" / "geodesic.npz")
    assert list(tmp_path.iterdir()) == []


# -- geomstats' log solver --------------------------------------------------------------------


@one_of_each
def test_the_log_solver_solves_for_logs(metric):
    space = gn.FunctionSpace(SPACE.sample)
    space.metric = metric
    solver = gn.LogSolver(space)
    many = places(2, seed=3)
    for point, base in ((END, START), (many, START), (END, many), (many, places(2, seed=4))):
        np.testing.assert_allclose(
            solver.log(point, base), metric.log(point, base), rtol=1e-12, atol=1e-15
        )


def test_the_log_solver_reads_the_metric_when_called():
    space = gn.FunctionSpace(SPACE.sample)
    solver = gn.LogSolver(space)
    space.equip_with_metric(gn.L2Metric)
    np.testing.assert_allclose(solver.log(END, START), END - START, atol=1e-14)
    space.equip_with_metric(gn.EnergyMetric, kernel=gn.GaussianKernel(0.8))
    expected = space.metric.log(END, START)
    assert np.abs(expected - (END - START)).max() > 1e-3
    np.testing.assert_allclose(solver.log(END, START), expected, rtol=1e-12)


def test_the_log_solver_passes_its_options():
    space = gn.FunctionSpace(SPACE.sample)
    space.equip_with_metric(gn.EnergyMetric, kernel=gn.GaussianKernel(0.8))
    fine = gn.LogSolver(space, n_steps=32).log(END, START)
    np.testing.assert_array_equal(fine, solve(space.metric, n_steps=32).initial_velocity)
    with pytest.raises(gn.ConvergenceError):
        gn.LogSolver(space, method=gn.geodesics.PathNewtonCG(max_iter=0)).log(END, START)


@each_bad_map
def test_the_log_solver_refuses_bad_maps(bad):
    space = gn.FunctionSpace(SPACE.sample)
    space.equip_with_metric(gn.L2Metric)
    with pytest.raises(gn.InputError, match=r"^point: "):
        gn.LogSolver(space).log(bad, START)
    with pytest.raises(gn.InputError, match=r"^base_point: "):
        gn.LogSolver(space).log(END, bad)
