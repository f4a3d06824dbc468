"""Pictures of emergent geometries that are hard to draw: wide, deep, or with values far out."""

from dataclasses import replace

import numpy as np
import pytest
from fisher_cases import close
from matplotlib.colors import to_rgba
from picture_cases import GEOMETRY, RNG, Embedded, begin_anew, dots, lines, made

import geomnet as gn
from geomnet.plotting import plot_curvature, plot_geometry, plot_landscape, plot_layers
from geomnet.plotting.artists import view
from geomnet.plotting.landscape import strongest

WIDE = made((6, 150, 120, 3))


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    begin_anew()


def curved(values):
    return replace(GEOMETRY, curvatures={"mine": np.asarray(values, dtype=float)})


def test_few_values_far_out_do_not_take_all_colours():
    values = RNG.uniform(size=23)
    figure = plot_landscape(GEOMETRY, np.where(np.arange(23) == 4, -1e6, values))
    rest = np.delete(values, 4)
    close(figure.axes[1].get_ylim(), [rest.min(), rest.max()])
    assert figure.axes[1]._colorbar.extend == "min"
    _, _, colours = dots(figure.axes[0])
    assert np.ptp(np.delete(colours[:, :3].sum(axis=1), 4)) > 0.5
    # half of them alike: nothing to measure the others by
    figure = plot_landscape(GEOMETRY, np.where(np.arange(23) < 3, 7.0, 0.0))
    close(figure.axes[1].get_ylim(), [0, 7])


def test_colours_of_curvatures_do_not_follow_one_edge():
    values = RNG.uniform(-1, 1, size=len(GEOMETRY.edges))
    values[0] = -1e5
    hit = GEOMETRY.edges[0]
    figure = plot_landscape(curved(values), "mine")
    means = [values[(GEOMETRY.edges == node).any(axis=1)].mean() for node in range(23)]
    least, most = figure.axes[1].get_ylim()
    close(most, np.abs(np.delete(means, hit)).max())
    assert least == -most
    assert figure.axes[1]._colorbar.extend == "min"


def test_curvatures_far_from_zero_have_a_scale_of_their_own():
    values = RNG.uniform(-420, -380, size=len(GEOMETRY.edges))
    figure = plot_landscape(curved(values), "mine")
    means = [values[(GEOMETRY.edges == node).any(axis=1)].mean() for node in range(23)]
    close(figure.axes[1].get_ylim(), [min(means), max(means)])
    assert np.ptp(dots(figure.axes[0])[2][:, :3].sum(axis=1)) > 0.5
    figure = plot_landscape(curved(values / 400 + 0.99), "mine")
    assert sum(figure.axes[1].get_ylim()) == 0


def test_what_is_pale_has_a_dark_edge():
    values = np.where(np.arange(23) < 12, 0.0, 1.0)
    figure = plot_landscape(curved(np.zeros(len(GEOMETRY.edges))), "mine")
    assert (dots(figure.axes[0])[2][:, :3] > 0.9).all()
    edges = figure.axes[0].collections[-1].get_edgecolors()
    assert {tuple(edge) for edge in edges} == {to_rgba("#555555")}
    figure = plot_landscape(GEOMETRY, values)
    dark = figure.axes[0].collections[-1].get_edgecolors()[:, 0] < 0.5
    bright = figure.axes[0].collections[-1].get_facecolors()[:, :3].sum(axis=1) > 1.5
    assert 0 < dark.sum() < 23
    np.testing.assert_array_equal(dark, bright)


def test_every_node_can_be_seen():
    geometry = replace(GEOMETRY, flow=np.logspace(-12, 0, 23))
    for axis in (plot_landscape(geometry).axes[0], *plot_layers(geometry).axes[:5]):
        sizes = axis.collections[-1].get_sizes()
        assert sizes.min() == 14.0
    # and small ones lie on large ones
    _, areas, _ = dots(plot_landscape(geometry).axes[0], geometry)
    assert areas[-1] == areas.max() > 14


def test_wide_layers_have_the_strongest_edges_alone():
    axis = plot_landscape(WIDE).axes[0]
    drawn = lines(axis)
    starts = np.array([np.round(line[0, 0]) for line in drawn])
    np.testing.assert_array_equal(np.bincount(starts.astype(int)), [120, 120, 120])
    assert "at most 120 between two layers" in axis.get_xlabel()
    widths = axis.collections[0].get_linewidths()
    assert (np.diff(widths) >= 0).all()
    # they are the strongest of those that are among the two strongest of a node
    source, target, strength = strongest(WIDE.conductance, 2)
    places, _, _ = dots(axis, WIDE)
    found = {tuple(line[[0, -1]].ravel().round(9).tolist()) for line in drawn}
    for number in range(3):
        between = np.flatnonzero(WIDE.layer[source] == number)
        between = between[np.argsort(-strength[between])][:120]
        wanted = np.hstack([places[source[between]], places[target[between]]])
        assert {tuple(ends) for ends in wanted.round(9).tolist()} <= found
    # as many as asked for are drawn where somebody asks
    asked = plot_landscape(WIDE, edges=2).axes[0]
    assert len(lines(asked)) > 400
    assert "at most" not in asked.get_xlabel()
    assert "at most" not in plot_landscape(GEOMETRY).axes[0].get_xlabel()


def small_and_large(ratio):
    """Points of layers, the last three so many times smaller than the first two."""
    scale = np.where(GEOMETRY.layer < 2, 1.0, 1 / ratio)[:, None]
    return Embedded(RNG.uniform(-1, 1, size=(23, 2)) * scale)


def test_layers_share_a_scale_unless_many_were_specks():
    for ratio, alike in ((2, True), (50, False)):
        figure = plot_layers(GEOMETRY, relation=small_and_large(ratio))
        limits = {(axis.get_xlim(), axis.get_ylim()) for axis in figure.axes[:5]}
        assert len(limits) == (1 if alike else 5)
        assert ("own scale" in figure.get_suptitle()) is not alike
    figure = plot_layers(GEOMETRY, relation=small_and_large(50), shared=True)
    assert len({axis.get_xlim() for axis in figure.axes[:5]}) == 1
    relation = small_and_large(2)
    figure = plot_layers(GEOMETRY, relation=relation, shared=False)
    for number, axis in enumerate(figure.axes[:5]):
        places, _, _ = dots(axis, GEOMETRY, GEOMETRY.in_layer(number))
        size = np.ptp(places, axis=0).max()
        close([np.ptp(axis.get_xlim()), np.ptp(axis.get_ylim())], np.full(2, 1.16 * size))
        middle = (places.min(axis=0) + places.max(axis=0)) / 2
        close([np.mean(axis.get_xlim()), np.mean(axis.get_ylim())], middle, 1e-9)


def test_rows_of_maps_are_full():
    figure = plot_layers(made((2,) * 8))
    rows = [axis.get_subplotspec().rowspan.start for axis in figure.axes[:8]]
    np.testing.assert_array_equal(np.bincount(rows), [4, 4])


def test_what_is_in_view():
    values, even = RNG.uniform(-1, 1, size=40), np.ones(40)
    assert view(values, even) == (values.min(), values.max())
    far = np.where(np.arange(40) < 2, 100.0, values)
    flow = np.where(np.arange(40) < 2, 0.4, 1.0)
    assert view(far, flow) == (values[2:].min(), values[2:].max())  # 2 % of the flow
    assert view(far, np.where(np.arange(40) < 2, 2.0, 1.0))[1] == 100  # 10 %
    near = np.where(np.arange(40) < 2, 4.0, values)
    assert view(near, flow)[1] == 4.0
    assert view(np.zeros(40), even) == (0, 0)


def test_a_logarithmic_axis_says_so():
    values = RNG.uniform(-1, 1, size=len(GEOMETRY.edges))
    plain = plot_curvature(curved(values), "mine").axes[0]
    assert plain.get_yscale() == "linear"
    assert plain.get_ylabel() == "mine"
    values[:2] = -3000, 20
    axis = plot_curvature(curved(values), "mine").axes[0]
    assert axis.get_yscale() == "symlog"
    assert "linear within ±1, logarithmic beyond" in axis.get_ylabel()
    assert axis.yaxis.get_transform().linthresh == 1
    ticks = axis.get_yticks().tolist()
    assert ticks == [-1000, -100, -10, -1, -0.5, 0, 0.5, 1, 10]
    words = [axis.yaxis.get_major_formatter()(tick) for tick in ticks]
    assert [float(word.replace("−", "-")) for word in words] == ticks


def test_both_bounds_of_ollivier_curvature_are_drawn():
    exact = gn.ollivier(GEOMETRY)
    for kind, sign in (("ollivier_bound", -1), ("ollivier_upper", 1)):
        axis = plot_curvature(GEOMETRY, kind).axes[0]
        words = f"{'lower' if sign < 0 else 'upper'} bound of Ollivier curvature"
        assert axis.get_ylabel().startswith(words)
        assert (sign * (GEOMETRY.curvatures[kind] - exact) >= -1e-9).all()


def test_curvatures_are_one_number_for_each_edge():
    for draw in (plot_curvature, plot_landscape):
        for values in (np.ones(3), np.ones((len(GEOMETRY.edges), 1))):
            with pytest.raises(gn.InputError, match=r"curvatures\['mine'\]: expected shape"):
                draw(replace(GEOMETRY, curvatures={"mine": values}), "mine")
    with pytest.raises(gn.InputError, match=r"curvatures\['ollivier_average'\]"):
        plot_geometry(replace(GEOMETRY, curvatures={"ollivier_average": np.ones(3)}))


def test_without_lengths_a_sentence_stands_for_the_curvature():
    axes = plot_geometry(made((1, 1, 1, 1))).axes
    (panel,) = [axis for axis in axes if axis.get_title() == "no curvature"]
    assert panel.texts[0].get_text().replace("\n", " ") == (
        "Some edges join copies of a node: they have no length, and so no curvature."
    )


def named(axis):
    return {text.get_text(): text for text in axis.texts}


def test_nodes_have_the_names_given():
    positions = np.arange(23.0)[:, None]
    inputs, classes = ["wide", "long", "red", "old"], ["cat", "dog", "owl"]
    for labels in ({0: inputs, -1: classes}, {0: np.array(inputs), 4: tuple(classes)}):
        axis = plot_landscape(GEOMETRY, relation=Embedded(positions), labels=labels).axes[0]
        places, _, _ = dots(axis)
        texts = named(axis)
        assert set(texts) == {*inputs, *classes}
        for nodes, names in ((GEOMETRY.in_layer(0), inputs), (GEOMETRY.in_layer(4), classes)):
            for node, name in zip(nodes, names):
                close(texts[name].xy[1], places[node, 1])
        left, right = axis.get_xlim()
        assert left < texts["wide"].xy[0] < 0
        assert 4 < texts["cat"].xy[0] < right
    assert set(named(plot_landscape(GEOMETRY, labels=classes).axes[0])) == set(classes)
    assert set(named(plot_geometry(GEOMETRY, labels=classes).axes[0])) == set(classes)


def test_dead_units_keep_their_names_to_themselves():
    matrices = [RNG.normal(size=(5, 3)) * [1, 0, 1], RNG.normal(size=(2, 5))]
    geometry = made(None, matrices)
    assert geometry.dead == ((0, 1),)
    axis = plot_landscape(geometry, labels={0: ["a", "b", "c"]}).axes[0]
    assert set(named(axis)) == {"a", "c", "0", "1"}


def test_of_many_nodes_those_with_the_most_flow_are_named():
    axis = plot_landscape(WIDE, labels={1: [f"unit {k}" for k in range(150)]}).axes[0]
    nodes = WIDE.in_layer(1)
    most = nodes[np.argsort(-WIDE.flow[nodes])][:28]
    assert set(named(axis)) == {f"unit {k}" for k in WIDE.unit[most]} | {"0", "1", "2"}
    heights = np.sort([text.xy[1] for text in axis.texts if "unit" in text.get_text()])
    places, _, _ = dots(axis, WIDE)
    assert np.diff(heights).min() > 0.034 * np.ptp(places[:, 1])
    assert heights[0] >= axis.get_ylim()[0]
    assert heights[-1] <= axis.get_ylim()[1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["cat", "dog"], "labels: expected 3 names for output, one for each unit, got 2"),
        ({0: list("abcde")}, "labels: expected 4 names for input"),
        ("cat", "labels: expected 3 names for output, got 'cat'"),
        (3, "labels: expected 3 names"),
        ({5: ["a"]}, "labels: expected layers of 0 to 4, got 5"),
        ({"input": ["a"]}, "labels: expected an integer"),
    ],
)
def test_bad_labels_are_named(labels, words):
    with pytest.raises(gn.InputError, match=words):
        plot_landscape(GEOMETRY, labels=labels)
    with pytest.raises(gn.InputError, match="shared: expected True"):
        plot_layers(GEOMETRY, shared="layers")
