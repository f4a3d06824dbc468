"""Pictures of the emergent geometry: marks are where the arrays say."""

from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from emergent_cases import NETWORKS, SAMPLE, SOFTMAX, geometry_of
from fisher_cases import close
from picture_cases import GEOMETRY, RNG, Embedded, begin_anew, dots, lines, made
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

import geomnet as gn
from geomnet.plotting import (
    plot_curvature,
    plot_geometry,
    plot_landscape,
    plot_layers,
    plot_spectrum,
    plot_time,
)
from geomnet.plotting.landscape import strongest
from geomnet.plotting.node_colours import capacity_shares

RESIDUAL = geometry_of(NETWORKS["tanh, residual"])
EULER = geometry_of(NETWORKS["euler"])
DRAWERS = (plot_landscape, plot_layers, plot_spectrum, plot_time, plot_curvature, plot_geometry)


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    begin_anew()


@pytest.fixture(scope="module")
def parts():
    """Two networks side by side, of five and three units a layer."""
    blocks = [
        np.block([[RNG.normal(size=(5, 5)), np.zeros((5, 3))], [np.zeros((3, 5)), np.eye(3)]])
        for _ in range(2)
    ]
    return made(None, blocks)


@pytest.mark.parametrize("geometry", [GEOMETRY, RESIDUAL, EULER])
def test_heights_are_the_distances_of_points_on_a_line(geometry):
    positions = RNG.normal(size=geometry.n_nodes)
    figure = plot_landscape(geometry, relation=Embedded(positions[:, None]))
    places, _, _ = dots(figure.axes[0], geometry)
    assert len(places) == geometry.n_nodes
    close(cdist(places[:, 1:], places[:, 1:]), cdist(positions[:, None], positions[:, None]), 1e-9)
    np.testing.assert_array_equal(np.round(places[:, 0]), geometry.layer)
    assert "correlation 1.00" in figure.axes[0].get_title()


def test_maps_are_the_distances_of_points_in_a_plane():
    points = RNG.normal(size=(GEOMETRY.n_nodes, 2))
    axes = plot_layers(GEOMETRY, relation=Embedded(points)).axes
    for number in range(len(GEOMETRY.names)):
        nodes = GEOMETRY.in_layer(number)
        places, _, _ = dots(axes[number], GEOMETRY, nodes)
        mine = points[nodes]
        close(cdist(places, places), cdist(mine, mine), 1e-9)
        assert axes[number].get_title() == GEOMETRY.names[number]
        left, right = axes[number].get_xlim()
        assert left < places[:, 0].min()
        assert places[:, 0].max() < right


def test_maps_join_the_nearest():
    points = RNG.normal(size=(GEOMETRY.n_nodes, 2))
    axis = plot_layers(GEOMETRY, relation=Embedded(points), nearest=1, layers=[3]).axes[0]
    nodes = GEOMETRY.in_layer(3)
    away = cdist(points[nodes], points[nodes]) + np.diag(np.full(len(nodes), np.inf))
    lengths = [np.linalg.norm(line[1] - line[0]) for line in lines(axis)]
    close(np.sort(lengths), np.sort(away.min(axis=1)), 1e-9)
    assert not lines(plot_layers(GEOMETRY, nearest=0, layers=[3]).axes[0])


def test_parts_at_infinite_distance_are_drawn_apart(parts):
    figure = plot_landscape(parts, relation=gn.emergent.FlowResistance())
    places, _, _ = dots(figure.axes[0], parts)
    first = parts.unit < 5
    # the last three units are copied from layer to layer, and are three parts by themselves
    assert "4 parts at infinite distance" in figure.axes[0].get_title()
    assert places[first, 1].min() > places[~first, 1].max()
    chains = [places[parts.unit == unit, 1] for unit in (5, 6, 7)]
    chains.sort(key=np.mean)
    for lower, upper in pairwise(chains):
        assert lower.max() < upper.min()
    assert "parts" not in plot_landscape(GEOMETRY).axes[0].get_title()


def test_nodes_at_one_height_stand_side_by_side():
    geometry = made((3, 40, 2))
    figure = plot_landscape(geometry, relation=Embedded(np.zeros((45, 1))))
    places, _, _ = dots(figure.axes[0], geometry)
    aside = places[:, 0] - geometry.layer
    crowd = aside[geometry.in_layer(1)]
    close(np.diff(np.sort(crowd)), np.full(39, 0.6 / 40))
    assert np.abs(aside).max() < 0.301
    assert aside[geometry.in_layer(1)[np.argmax(geometry.flow[geometry.in_layer(1)])]] == 0


def test_faint_nodes_far_away_are_left_outside():
    flow = np.where(np.arange(23) == 5, 1e-5, GEOMETRY.flow)
    geometry, positions = replace(GEOMETRY, flow=flow), RNG.normal(size=(23, 1))
    near = plot_landscape(geometry, relation=Embedded(positions)).axes[0]
    assert "outside" not in near.get_title()
    positions[5] = 1e4
    for figure in (plot_landscape, plot_layers):
        relation = Embedded(np.hstack([positions, RNG.normal(size=(23, 1))]))
        axes = figure(geometry, relation=relation).axes
        titles = [axes[0].get_title(), axes[0].figure.get_suptitle()]
        words = f"1 node with {100 * flow[5] / flow.sum():.2g} % of the flow far outside"
        assert any(words in title for title in titles)
        assert np.ptp(axes[0].get_ylim()) < 20
        marks = [line for axis in axes for line in axis.lines if line.get_marker() in "<>v^"]
        assert len(marks) == 1
        (axis,) = [axis for axis in axes if marks[0] in axis.lines]
        assert marks[0].get_ydata()[0] in axis.get_ylim()
    # one through which something flows is never left out
    strong = replace(GEOMETRY, flow=np.where(np.arange(23) == 5, 2.0, 1.0))
    strong = plot_landscape(strong, relation=Embedded(positions)).axes[0]
    assert np.ptp(strong.get_ylim()) > 1e4


def test_outputs_are_numbered_in_the_order_of_their_heights():
    positions = RNG.normal(size=GEOMETRY.n_nodes)
    positions[-3:] = [0.3, -1.0, 0.301]
    axis = plot_landscape(GEOMETRY, relation=Embedded(positions[:, None])).axes[0]
    places, _, _ = dots(axis)
    found = sorted((text.xy[1], text.get_text()) for text in axis.texts)
    order = np.argsort(places[-3:, 1])
    assert [name for _, name in found] == [str(unit) for unit in GEOMETRY.unit[-3:][order]]
    heights = [height for height, _ in found]
    line = 0.035 * np.ptp(places[:, 1])
    assert np.diff(heights).min() >= line - 1e-12
    assert np.abs(heights - places[-3:, 1][order]).max() <= line
    assert not plot_landscape(made((3, 4, 30))).axes[0].texts


def test_areas_and_colours_follow_the_attributes():
    _, areas, _ = dots(plot_landscape(GEOMETRY).axes[0])
    large = areas > areas.min()
    assert large.sum() > 5
    shares = areas[large] / GEOMETRY.flow[large]
    close(shares, np.full(large.sum(), shares.max()))
    attributes = {
        "flow": GEOMETRY.flow,
        "fisher": np.diag(GEOMETRY.gate_fisher),
        "planck_length": GEOMETRY.planck_length,
        "time": GEOMETRY.time[GEOMETRY.layer],
        "capacity": capacity_shares(GEOMETRY),
    }
    for name, values in attributes.items():
        figure = plot_landscape(GEOMETRY, name)
        _, _, colours = dots(figure.axes[0])
        light = colours[:, :3].sum(axis=1)  # darker is more, and a Planck length the shorter
        order = np.argsort(-values if name == "planck_length" else values)
        assert (np.diff(light[order]) <= 1e-12).all(), name
        assert np.ptp(light) > 0.5
        assert figure.axes[1].get_ylabel()


def test_own_values_colour_nodes():
    values = RNG.normal(size=GEOMETRY.n_nodes)
    figure = plot_landscape(GEOMETRY, values)
    close(figure.axes[1].get_ylim(), [values.min(), values.max()])
    same = np.zeros(GEOMETRY.n_nodes)
    _, _, colours = dots(plot_landscape(GEOMETRY, same).axes[0])
    assert len(np.unique(colours, axis=0)) == 1


def test_what_is_faint_has_the_colour_of_its_end():
    geometry = replace(GEOMETRY, flow=np.logspace(-6, 0, 23))
    figure = plot_landscape(geometry, relation=gn.emergent.FisherAngle())
    close(figure.axes[1].get_ylim(), [1e-3, 1])
    _, _, colours = dots(figure.axes[0], geometry)
    assert len(np.unique(colours[geometry.flow <= 1e-3], axis=0)) == 1
    wide = replace(GEOMETRY, gate_fisher=np.diag(np.logspace(-12, 0, 23)))
    close(
        plot_landscape(wide, "planck_length").axes[1].get_ylim(),
        wide.planck_length.min() * np.array([1, 1e3]),
    )


def test_horizons_are_told_apart():
    seen = 1 / np.diag(GEOMETRY.gate_fisher)
    geometry = replace(GEOMETRY, n=int(np.median(seen)))
    figure = plot_landscape(geometry, "horizon")
    _, _, colours = dots(figure.axes[0])
    assert 0 < geometry.horizon.sum() < geometry.n_nodes
    assert len(np.unique(colours, axis=0)) == 2
    assert len(np.unique(colours[geometry.horizon], axis=0)) == 1
    assert len(figure.legends[0].get_texts()) == 2


def test_curvatures_colour_nodes():
    values = RNG.normal(size=len(GEOMETRY.edges))
    geometry = replace(GEOMETRY, curvatures={"mine": values})
    means = [values[(geometry.edges == node).any(axis=1)].mean() for node in range(23)]
    figure = plot_landscape(geometry, "mine")
    close(figure.axes[1].get_ylim(), np.abs(means).max() * np.array([-1, 1]))
    _, _, colours = dots(figure.axes[0])
    red = colours[:, 0] - colours[:, 2]  # orange above zero, violet below
    assert (np.sign(red[np.abs(means) > 0.05]) == np.sign(means)[np.abs(means) > 0.05]).all()


def test_what_nodes_hold_sums_to_the_capacity():
    for geometry in (GEOMETRY, RESIDUAL, EULER):
        shares = capacity_shares(geometry)
        assert (shares >= 0).all()
        close(shares.sum(), geometry.capacity)


def test_edges_join_their_ends():
    axis = plot_landscape(EULER, edges=1).axes[0]
    places, _, _ = dots(axis, EULER)
    source, target, _ = strongest(EULER.conductance, 1)
    ends = np.array([[line[0], line[-1]] for line in lines(axis)])
    wanted = np.stack([places[source], places[target]], axis=1)
    close(np.sort(ends.reshape(-1, 4), axis=0), np.sort(wanted.reshape(-1, 4), axis=0))
    skips = EULER.layer[target] - EULER.layer[source] > 1
    bent = [abs(np.diff(line[:, 1], 2)).max() > 1e-9 for line in lines(axis)]
    assert 0 < skips.sum() == sum(bent)


def test_the_spectrum_is_the_geometry_s():
    figure = plot_spectrum(GEOMETRY)
    (axis,) = figure.axes
    number, values = axis.lines[0].get_data()
    close(values, GEOMETRY.spectrum[: len(values)])
    np.testing.assert_array_equal(number, np.arange(len(values)) + 1)
    assert (GEOMETRY.spectrum[len(values) :] <= 1.01e-4 * GEOMETRY.spectrum[0]).all()
    close(axis.lines[1].get_ydata(), np.full(2, 1 / GEOMETRY.n))
    low, high = axis.get_ylim()
    assert low < 1 / GEOMETRY.n
    assert GEOMETRY.spectrum[0] < high
    held = (GEOMETRY.spectrum > 1 / GEOMETRY.n).sum()
    assert f"{held} of 23" in axis.get_xlabel()
    assert f"capacity {GEOMETRY.capacity:.3g} nats" in axis.get_title()


@pytest.mark.parametrize("geometry", [GEOMETRY, EULER])
def test_time_is_the_geometry_s(geometry):
    axis = plot_time(geometry).axes[0]
    *joins, marks = axis.lines
    np.testing.assert_array_equal(marks.get_ydata(), geometry.time)
    np.testing.assert_array_equal(marks.get_xdata(), np.arange(len(geometry.names)))
    pairs = {tuple(pair) for pair in geometry.layer[geometry.edges].tolist()}
    assert {tuple(line.get_xdata()) for line in joins} == pairs


def test_curvature_by_the_layers_that_edges_join():
    values = RNG.normal(size=len(RESIDUAL.edges))
    geometry = replace(RESIDUAL, curvatures={"mine": values})
    axis = plot_curvature(geometry, "mine").axes[0]
    ends = geometry.layer[geometry.edges]
    marks = [line for line in axis.lines if line.get_marker() == "o"]
    rings = {line.get_xdata()[0]: line.get_ydata()[0] for line in marks}
    for start, end in {tuple(pair) for pair in ends.tolist()}:
        found = values[(ends == (start, end)).all(axis=1)]
        close(rings[(start + end) / 2], np.median(found))
    title = axis.get_title()
    assert f"median {np.median(values):.3g}, mean {values.mean():.3g}" in title
    # black, through the medians from layer to layer alone
    (line,) = [line for line in axis.lines if line.get_color() == "#222222"]
    steps = sorted({start for start, end in ends.tolist() if end == start + 1})
    np.testing.assert_array_equal(line.get_xdata(), np.add(steps, 0.5))
    close(line.get_ydata(), [rings[at] for at in line.get_xdata()])
    assert "medians" in axis.get_xlabel()


def test_curvature_is_computed_where_it_is_not_there():
    axis = plot_curvature(GEOMETRY, "forman").axes[0]
    heights = np.concatenate([np.asarray(part.get_offsets())[:, 1] for part in axis.collections])
    close(np.sort(heights), np.sort(gn.forman(GEOMETRY.weighted_graph())))


def test_many_edges_are_drawn_as_quantiles():
    geometry = made((30, 20, 2))
    axis = plot_curvature(geometry, "forman").axes[0]
    values = gn.forman(geometry.weighted_graph())
    places = np.asarray(axis.collections[0].get_offsets())
    between = values[(geometry.layer[geometry.edges] == (0, 1)).all(axis=1)]
    assert len(places) == 300 < len(between)
    close(places[[0, -1], 1], [between.min(), between.max()])
    assert np.abs(places[:, 0] - 0.5).max() < 0.2


@pytest.mark.parametrize("name", ["tanh", "plain"])
def test_the_picture_does_not_feel_how_the_network_is_written(name):
    network, theta, _ = NETWORKS[name]

    def picture(network, theta):
        geometry = gn.EmergentGeometry.from_network(network, theta, SAMPLE, SOFTMAX)
        places, areas, _ = dots(plot_landscape(geometry, edges=0).axes[0], geometry)
        return {"heights": np.sort(places[:, 1]), "areas": np.sort(areas)}

    kinds = ("permute", "flip") if name == "tanh" else ("permute", "rescale")
    report = gn.gauge.check(picture, network, theta, kinds=kinds, tolerance=1e-7)
    assert report, report


@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (2, 1), (3, 1, 2)])
def test_small_networks_are_drawn(widths):
    for drawer in DRAWERS:
        if drawer is not plot_curvature:
            drawer(made(widths)).savefig(BytesIO())
    geometry = made(widths)
    places, _, _ = dots(plot_landscape(geometry).axes[0], geometry)
    assert len(places) == sum(widths)
    assert np.isfinite(places).all()


def test_a_node_a_layer_stands_by_its_distance():
    geometry = made((1, 1, 1, 1))
    relation = Embedded(np.array([[0.0], [1.0], [3.0], [2.0]]))
    places, _, _ = dots(plot_landscape(geometry, relation=relation).axes[0], geometry)
    close(np.abs(np.diff(places[:, 1])), [1, 2, 1])


def test_layers_that_never_change_have_no_time():
    biases = [np.ones(3), np.zeros(2)]
    network, theta = gn.FeedForward.from_arrays(
        [np.zeros((3, 3)), RNG.normal(size=(2, 3))], biases, "tanh"
    )
    points = RNG.normal(size=(30, 3))
    geometry = gn.EmergentGeometry.from_network(network, theta, points, gn.Gaussian(1.0, 2))
    (axis,) = plot_time(geometry).axes
    assert len(axis.lines[-1].get_xdata()) == np.isfinite(geometry.time).sum() == 0
    assert "nothing changes there: input, layer 1" in axis.get_title()
    places, _, _ = dots(plot_landscape(geometry).axes[0], geometry)
    assert len(places) == geometry.n_nodes == 5  # the inputs are dead


def test_without_edges_nothing_is_curved():
    geometry = replace(made((2, 3, 2)), conductance=csr_array((7, 7)))
    assert plot_curvature(geometry).axes[0].get_title() == "no edges"
    assert not lines(plot_landscape(geometry).axes[0])


def test_copies_have_no_curvature():
    geometry = made((1, 1, 1, 1))  # what a linear map of one unit gives is its copy
    with pytest.raises(gn.InputError, match="edges have no length"):
        plot_curvature(geometry)
    assert "no curvature" in [axis.get_title() for axis in plot_geometry(geometry).axes]


@pytest.mark.parametrize("drawer", DRAWERS)
def test_only_geometries_are_drawn(drawer):
    with pytest.raises(gn.InputError, match="geometry: expected an EmergentGeometry"):
        drawer(np.eye(3))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plot_landscape(GEOMETRY, "flows"), "colour: unknown 'flows'; choose from flow, "),
        (lambda: plot_landscape(GEOMETRY, np.ones(3)), r"colour: expected shape \(23"),
        (lambda: plot_landscape(GEOMETRY, np.full(23, np.nan)), "colour: "),
        (lambda: plot_landscape(GEOMETRY, None), "colour: "),
        (lambda: plot_landscape(GEOMETRY, edges=-1), "edges: expected"),
        (lambda: plot_landscape(GEOMETRY, relation="angle"), "relation: expected"),
        (lambda: plot_layers(GEOMETRY, nearest=0.5), "nearest: expected"),
        (lambda: plot_layers(GEOMETRY, layers=[9]), "layers: expected some of 0 to 4"),
        (lambda: plot_layers(GEOMETRY, layers=[]), "layers: expected some"),
        (lambda: plot_curvature(GEOMETRY, "ricci"), "kind: unknown 'ricci'; choose from ollivier,"),
    ],
)
def test_bad_input_is_named(draw, words):
    with pytest.raises(gn.InputError, match=words):
        draw()
