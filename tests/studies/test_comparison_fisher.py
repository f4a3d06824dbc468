"""A comparison measures the Fisher information of its network, and the report tells it."""

import dataclasses
import functools
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

import geomnet as gn
from geomnet.cli import main
from geomnet.plotting.fisher import plot_fisher
from geomnet.predictions.layer_paths import layer_predictions
from geomnet.reports.descriptions import fisher_in_words
from geomnet.studies.comparison import compare as study
from geomnet.studies.comparison.fisher_summary import fisher_summary

OPTIONS = {"n": 30, "depth": 3, "steps": 8, "metrics": ("l2",)}
WORDS = ("--n", "30", "--depth", "3", "--steps", "8", "--metrics", "l2")


@functools.cache
def compared():
    return gn.compare("iris", **OPTIONS)


def parts():
    found = compared()
    return found.network, found.fit.theta, found.sample, gn.Categorical(3), found.fit.readout


def information(sample=None):
    network, theta, own, *of = parts()
    return gn.FisherInformation(network, theta, own if sample is None else sample, *of)


def score_rows():
    """Rows √w·√p_y·∂log p(y|x)/∂(θ, readout), one a datum and class, by differences."""
    network, theta, sample, _, readout = parts()
    sizes = theta.size, readout.weight.size

    def log_probabilities(flat):
        first, weight, bias = np.split(flat, np.cumsum(sizes))
        states = network(first.reshape(theta.shape), sample)
        z = states @ weight.reshape(readout.weight.shape).T + bias
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    at = np.concatenate([theta.ravel(), readout.weight.ravel(), readout.bias])
    root = np.sqrt(sample.weights[:, None] * np.exp(log_probabilities(at)))
    step = 1e-5
    rows = np.empty((root.size, at.size))
    for k, unit in enumerate(np.eye(at.size)):
        moved = log_probabilities(at + step * unit) - log_probabilities(at - step * unit)
        rows[:, k] = (root * moved).ravel() / (2 * step)
    return rows, at


# -- numbers ----------------------------------------------------------------------------------


def test_the_summary_is_that_of_the_scores_by_definition():
    summary = compared().fisher
    rows, at = score_rows()
    values = np.linalg.svd(rows, compute_uv=False) ** 2
    assert summary.n_parameters == at.size
    np.testing.assert_allclose(summary.eigenvalues[:30], values[:30], rtol=1e-5)
    assert summary.trace == pytest.approx(np.sum(rows**2), rel=1e-7)
    assert summary.fisher_rao_norm == pytest.approx(np.sum((rows @ at) ** 2), rel=1e-7)
    cuts = np.linspace(0, compared().fit.theta.size, 4).astype(int)
    blocks = np.split(np.arange(at.size), cuts[1:])
    traces = [np.sum(rows[:, block] ** 2) for block in blocks]
    norms = [np.linalg.norm(rows[:, block] @ at[block]) for block in blocks]
    np.testing.assert_allclose(summary.layer_traces, traces, rtol=1e-7)
    np.testing.assert_allclose(summary.layer_norms, norms, rtol=1e-7)
    assert summary.layers == ("layer 0", "layer 1", "layer 2", "readout")
    assert summary.information_length == pytest.approx(sum(norms), rel=1e-7)


def test_the_summary_is_what_the_library_says():
    summary, fisher = compared().fisher, information()
    np.testing.assert_allclose(summary.eigenvalues, fisher.eigvalsh()[: summary.rank], rtol=1e-9)
    assert summary.trace == pytest.approx(fisher.trace(), rel=1e-12)
    assert summary.effective_dimension == pytest.approx(gn.effective_dimension(fisher), rel=1e-9)
    assert (summary.n, summary.gamma, summary.spectrum_n) == (30, 1.0, 30)
    assert summary.information_length == pytest.approx(fisher.information_length(), rel=1e-12)


def test_the_rank_is_that_of_the_data():
    # three classes: two rows a datum, fewer than parameters
    summary = compared().fisher
    assert summary.rank <= 2 * 30 < summary.n_parameters
    assert (summary.eigenvalues > 0).all()
    assert (np.diff(summary.eigenvalues) <= 0).all()
    assert summary.eigenvalues.sum() == pytest.approx(summary.trace, rel=1e-12)


def test_directions_hold_their_share_and_no_fewer_do():
    summary = compared().fisher
    for share in (0.3, 0.9, 0.999):
        few = summary.directions(share)
        assert summary.eigenvalues[:few].sum() >= share * summary.trace
        assert summary.eigenvalues[: few - 1].sum() < share * summary.trace


def test_the_layer_path_is_the_fisher_rao_path_of_the_states_read_out():
    summary = compared().fisher
    network, theta, sample, likelihood, readout = parts()
    z = [readout(state) for state in network.states(theta, sample)]

    def distance(a, b):
        return np.sqrt(sample.weights @ likelihood.squared_distance(a, b))

    length = sum(distance(a, b) for a, b in itertools.pairwise(z))
    assert summary.path_length == pytest.approx(length, rel=1e-12)
    assert summary.path_chord == pytest.approx(distance(z[0], z[-1]), rel=1e-12)
    assert summary.path_excess == pytest.approx(length / distance(z[0], z[-1]), rel=1e-12)
    path = layer_predictions(network, theta, sample, likelihood, readout)
    assert summary.path_excess == path.excess() > 1


def test_a_ridge_only_lengthens_the_path():
    found = gn.compare("iris", **{**OPTIONS, "metrics": ("fisher-rao",), "ridge": 1e-12})
    ridged = found.lengths["network"]["fisher-rao"]
    # the metric's length is of the polygon of states, on which the readouts are not geodesics
    assert found.fisher.path_length <= ridged
    assert found.fisher.path_length == pytest.approx(ridged, rel=0.05)


def test_a_large_sample_has_the_spectrum_of_a_part_and_all_else_of_the_whole():
    whole, part = compared().fisher, fisher_summary(*parts(), largest=20)
    assert (part.spectrum_n, part.n) == (10, 30)
    assert part.rank <= 20
    assert (part.trace, part.fisher_rao_norm) == (whole.trace, whole.fisher_rao_norm)
    np.testing.assert_array_equal(part.layer_traces, whole.layer_traces)
    again = fisher_summary(*parts(), largest=20)
    np.testing.assert_array_equal(part.eigenvalues, again.eigenvalues)
    drawn = np.random.default_rng(0).choice(30, size=10, replace=False)
    fisher = information(compared().sample.take(np.sort(drawn)))
    np.testing.assert_allclose(part.eigenvalues, fisher.eigvalsh()[: part.rank], rtol=1e-9)
    assert part.effective_dimension == pytest.approx(gn.effective_dimension(fisher, n=30))
    (_, said), _ = fisher_in_words(part, ridged=False)
    assert "10 of the 30 data" in said
    assert len(fisher_in_words(whole, ridged=False)[0]) == 1


def test_few_parameters_need_no_part_of_the_data():
    assert fisher_summary(*parts(), largest=compared().fisher.n_parameters).spectrum_n == 30


def test_too_many_rows_a_datum_are_refused():
    with pytest.raises(gn.InputError, match=r"^likelihood: .*2 rows"):
        fisher_summary(*parts(), largest=1)


def test_too_few_data_have_no_effective_dimension():
    found = gn.compare("iris", **{**OPTIONS, "n": 12})
    assert found.fisher.effective_dimension is None
    assert found.as_dict()["fisher"]["effective_dimension"] is None
    _, (said, *_) = fisher_in_words(found.fisher, ridged=False)
    assert "not defined for 12 data" in said


# -- absence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [True, False])
def test_without_a_trained_network_there_is_none(tmp_path, labelled):
    data = "iris" if labelled else gn.Sample(compared().sample.points)
    found = gn.compare(data, **OPTIONS, target="swirl")
    assert found.fisher is None
    page = gn.reports.write_report(found, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["fisher"] is None
    assert "Fisher information" not in page.read_text()
    with np.load(tmp_path / "paths.npz") as archive:
        assert "fisher_spectrum" not in archive.files


def test_where_it_cannot_be_measured_the_comparison_stands(monkeypatch, tmp_path):
    def fail(*_):
        raise gn.InputError("likelihood: of too many rows")

    monkeypatch.setattr(study, "fisher_summary", fail)
    found = gn.compare("iris", **OPTIONS)
    assert found.fisher is None
    assert found.ok
    assert "too many rows" in found.notes[-1]
    assert "too many rows" in gn.reports.write_report(found, tmp_path).read_text()


def test_predictions_that_no_parameter_moves_are_reported_too(tmp_path):
    network, theta, sample, likelihood, readout = parts()
    certain = gn.Readout(0 * readout.weight, [2000.0, 0.0, 0.0])
    still = fisher_summary(network, theta, sample, likelihood, certain)
    assert (still.rank, still.trace, still.effective_dimension) == (0, 0.0, None)
    assert (still.path_length, still.directions(0.9)) == (0.0, 0)
    page = gn.reports.write_report(dataclasses.replace(compared(), fisher=still), tmp_path)
    assert not (tmp_path / "figures" / "fisher.png").exists()
    assert "Fisher information" in page.read_text()
    assert not re.search(r"\b(nan|inf)\b", page.read_text())


# -- the report -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    gn.reports.write_report(compared(), folder)
    return folder


def test_the_results_make_the_round_trip(report):
    read = json.loads((report / "results.json").read_text())["fisher"]
    assert read == compared().as_dict()["fisher"]
    with np.load(report / "paths.npz") as archive:
        np.testing.assert_array_equal(archive["fisher_spectrum"], compared().fisher.eigenvalues)


def test_the_command_line_writes_them(tmp_path):
    assert main(["compare", "iris", *WORDS, "--out", str(tmp_path)]) == 0
    read = json.loads((tmp_path / "results.json").read_text())["fisher"]
    assert read.keys() == compared().as_dict()["fisher"].keys()
    assert read["trace"] == pytest.approx(compared().fisher.trace, rel=1e-6)


def test_the_results_have_the_keys_promised(report):
    read = json.loads((report / "results.json").read_text())
    fisher, summary = read["fisher"], compared().fisher
    assert fisher["parameters"] == read["network"]["parameters"]
    assert fisher["spectrum"] == summary.eigenvalues[:20].tolist()
    assert (fisher["rank"], fisher["spectrum_n"]) == (summary.rank, 30)
    assert fisher["directions_90"] == summary.directions(0.9)
    assert len(fisher["layers"]) == len(fisher["layer_trace"]) == len(fisher["layer_norm"]) == 4
    assert sum(fisher["layer_trace"]) == pytest.approx(fisher["trace"], rel=1e-12)
    assert sum(fisher["layer_norm"]) == pytest.approx(fisher["information_length"], rel=1e-12)
    dimension = fisher["effective_dimension"]
    assert (dimension["n"], dimension["gamma"]) == (30, 1.0)
    assert dimension["value"] == summary.effective_dimension
    assert dimension["share"] == pytest.approx(dimension["value"] / fisher["parameters"])
    path = fisher["layer_path"]
    assert path["excess"] == pytest.approx(path["length"] / path["chord"], rel=1e-12)
    assert fisher["fisher_rao_norm"] == summary.fisher_rao_norm


def test_the_page_holds_the_section(report):
    page, summary = (report / "report.html").read_text(), compared().fisher
    section = page.partition("<h2>Fisher information</h2>")[2].partition("<h2>")[0]
    cells = dict(re.findall(r"<tr><td>([^<]*)</td><td>([^<]*)</td></tr>", section))
    assert int(cells["parameters p, readout included"]) == summary.n_parameters
    assert int(cells["rank: directions that move a prediction"]) == summary.rank
    for name, value in {
        "trace": summary.trace,
        "largest eigenvalue": summary.eigenvalues[0],
        "effective dimension (n = 30, γ = 1)": summary.effective_dimension,
        "squared Fisher–Rao norm θᵀGθ": summary.fisher_rao_norm,
        "Fisher–Rao length of the layer path": summary.path_length,
        "Fisher–Rao chord, input to output": summary.path_chord,
    }.items():
        assert float(cells[name]) == pytest.approx(value, rel=1e-4), name
    assert section.count("<img ") == 1
    assert Path(report, "figures", "fisher.png").read_bytes().startswith(b"\x89PNG")


def test_words_warn_where_the_dimension_passes_the_rank():
    over = dataclasses.replace(compared().fisher, effective_dimension=1000.0)
    under = dataclasses.replace(over, effective_dimension=3.0)
    for summary, warned in ((over, True), (under, False)):
        _, (said, *_) = fisher_in_words(summary, ridged=False)
        assert ("more than the rank" in said) == warned


@pytest.mark.parametrize("count", [1, 2, 3, 13, 40])
def test_the_figure_names_its_layers_and_draws_every_eigenvalue(count):
    layers = (*(f"layer {k}" for k in range(count)), "readout")
    values = np.geomspace(1, 1e-3, count)
    summary = dataclasses.replace(
        compared().fisher,
        eigenvalues=values,
        layers=layers,
        layer_traces=np.ones(count + 1),
        layer_norms=np.ones(count + 1),
    )
    spectrum, traces, _ = plot_fisher(summary).axes
    np.testing.assert_array_equal(spectrum.lines[0].get_ydata(), values)
    assert len(traces.patches) == count + 1
    names = [label.get_text() for label in traces.get_xticklabels()]
    places = traces.get_xticks()
    assert 2 <= len(names) <= 13
    assert names[-1] == "out"
    assert [int(name) for name in names[:-1]] == places[:-1].tolist()
    assert (np.diff(places) >= max(1, (count + 1) // 13)).all()
