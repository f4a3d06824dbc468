"""Intensive principal component analysis: coordinates that give the distances back."""

import numpy as np
import pytest
from cases import LIKELIHOODS
from scipy.spatial.distance import squareform
from sklearn.base import clone
from sklearn.decomposition import PCA

import geomnet as gn
from geomnet.predictions.inpca import InPCA
from geomnet.predictions.predictions import Predictions

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
each_kind = pytest.mark.parametrize("kind", ["bhattacharyya", "fisher_rao"])


def draw(likelihood, m=9, n=4, seed=0, scale=1.5):
    z = scale * np.random.default_rng(seed).normal(size=(m, n, likelihood.n_parameters))
    return Predictions(likelihood, z)


def squares(predictions, kind, other=None):
    matrix = predictions.distance_matrix(kind, other)
    return 8 * matrix if kind == "bhattacharyya" else matrix**2


def minkowski(a, b, signature):
    """Squared intervals of all pairs, by a loop."""
    return np.array([[np.sum(signature * (x - y) ** 2) for y in b] for x in a])


@each_likelihood
@each_kind
def test_all_components_give_the_distances_back(likelihood, kind):
    batch = draw(likelihood)
    inpca = InPCA(n_components=None, kind=kind).fit(batch)
    expected = squares(batch, kind)
    found = minkowski(inpca.embedding_, inpca.embedding_, inpca.signature_)
    np.testing.assert_allclose(found, expected, atol=1e-12 * expected.max())
    np.testing.assert_allclose(inpca.embedding_.mean(axis=0), 0, atol=1e-12)
    assert set(inpca.signature_) <= {-1.0, 1.0}


def test_bhattacharyya_distances_of_classes_need_time():
    # coins at both ends and in the middle break the triangle inequality
    z = np.array([-8.0, 0.0, 8.0])[:, None, None] * np.ones((1, 2, 1))
    inpca = InPCA(n_components=None).fit(Predictions(gn.Bernoulli(), z))
    assert sorted(inpca.signature_) == [-1.0, 1.0]


@each_kind
def test_gaussian_predictions_are_embedded_as_by_principal_components(kind):
    batch = draw(gn.Gaussian(0.7, 3))
    flat = batch.z.reshape(9, -1) / 0.7 / np.sqrt(4)
    pca = PCA(n_components=3).fit(flat)
    inpca = InPCA(n_components=3, kind=kind).fit(batch)
    signs = np.sign(np.sum(inpca.embedding_ * pca.transform(flat), axis=0))
    np.testing.assert_allclose(inpca.embedding_ * signs, pca.transform(flat), atol=1e-10)
    np.testing.assert_allclose(inpca.eigenvalues_[:3], 8 * pca.explained_variance_, rtol=1e-10)
    new = draw(gn.Gaussian(0.7, 3), m=5, seed=1)
    expected = pca.transform(new.z.reshape(5, -1) / 0.7 / np.sqrt(4))
    np.testing.assert_allclose(inpca.transform(new) * signs, expected, atol=1e-10)


@each_likelihood
@each_kind
def test_models_of_the_fit_keep_their_coordinates(likelihood, kind):
    batch = draw(likelihood)
    for k in (2, None):
        inpca = InPCA(n_components=k, kind=kind)
        np.testing.assert_array_equal(inpca.fit_transform(batch), inpca.embedding_)
        np.testing.assert_allclose(inpca.transform(batch), inpca.embedding_, atol=1e-9)
        np.testing.assert_allclose(
            inpca.transform(batch.take(3))[0], inpca.embedding_[3], atol=1e-9
        )


@each_kind
def test_the_order_of_the_models_does_not_matter(kind):
    batch = draw(gn.Categorical(4))
    order = np.random.default_rng(0).permutation(9)
    first, second = InPCA(4, kind).fit(batch), InPCA(4, kind).fit(batch.take(order))
    np.testing.assert_allclose(second.embedding_, first.embedding_[order], atol=1e-10)
    np.testing.assert_allclose(second.eigenvalues_, first.eigenvalues_, atol=1e-12)
    assert (np.abs(first.embedding_).max(axis=0) == first.embedding_.max(axis=0)).all()


def test_components_are_the_first_of_all_in_the_order_of_their_size():
    batch = draw(gn.Categorical(4))
    few, all_of_them = InPCA(3).fit(batch), InPCA(None).fit(batch)
    np.testing.assert_array_equal(few.embedding_, all_of_them.embedding_[:, :3])
    assert (np.diff(np.abs(few.eigenvalues_)) <= 0).all()
    sizes = np.sum(all_of_them.embedding_**2, axis=0) * all_of_them.signature_
    np.testing.assert_allclose(sizes, few.eigenvalues_[: len(sizes)], rtol=1e-9)


@each_kind
def test_explained_stress_is_what_the_centred_matrix_loses(kind):
    batch = draw(gn.Bernoulli(2), scale=3.0)
    inpca = InPCA(None, kind).fit(batch)
    centre = np.eye(9) - 1 / 9
    whole = -0.5 * centre @ squares(batch, kind) @ centre
    x, signs = inpca.embedding_, inpca.signature_
    for k in range(1, x.shape[1] + 1):
        left = whole - (x[:, :k] * signs[:k]) @ x[:, :k].T
        expected = 1 - np.linalg.norm(left) / np.linalg.norm(whole)
        assert inpca.explained_stress(k) == pytest.approx(expected, abs=1e-12)
    stress = inpca.explained_stress()
    assert stress.shape == (9,)
    assert (np.diff(stress) >= 0).all()
    assert 0 < stress[0] < 1
    assert stress[-1] == 1


@each_kind
def test_given_squared_distances_do_the_same(kind):
    batch, new = draw(gn.Categorical(3)), draw(gn.Categorical(3), m=4, seed=1)
    from_models = InPCA(2, kind).fit(batch)
    given = InPCA(2, "precomputed").fit(squares(batch, kind))
    np.testing.assert_allclose(given.embedding_, from_models.embedding_, rtol=1e-12)
    found = given.transform(squares(new, kind, batch))
    np.testing.assert_allclose(found, from_models.transform(new), rtol=1e-10)


def test_it_can_be_fitted_anew_and_cloned():
    batch, other = draw(gn.Categorical(3)), draw(gn.Categorical(3), m=5, seed=1)
    inpca = InPCA(2, "fisher_rao")
    copy = clone(inpca.fit(batch))
    assert copy.get_params() == {"n_components": 2, "kind": "fisher_rao"}
    assert not hasattr(copy, "embedding_")
    np.testing.assert_array_equal(inpca.fit_transform(other), copy.fit_transform(other))


def test_more_data_of_one_kind_leave_the_picture_where_it_is():
    batch = draw(gn.Categorical(4))
    twice = Predictions(batch.likelihood, np.concatenate([batch.z, batch.z], axis=1))
    first, second = InPCA(3).fit(batch), InPCA(3).fit(twice)
    np.testing.assert_allclose(first.embedding_, second.embedding_, atol=1e-10)


PAIR = Predictions(gn.Gaussian(), [[[0.0]], [[1.0]]])
SQUARES = squareform([1.0, 4.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: InPCA(kind="hellinger").fit(PAIR), "kind: unknown"),
        (lambda: InPCA(0).fit(PAIR), "n_components: expected an integer"),
        (lambda: InPCA(2).fit(PAIR), "n_components: these 2 models span 1 only"),
        (lambda: InPCA(1).fit(PAIR.take(0)), "predictions: one model"),
        (lambda: InPCA(1).fit(PAIR.take([0, 0])), "predictions: all models predict the same"),
        (lambda: InPCA(1).fit(SQUARES), "predictions: expected gn.Predictions"),
        (lambda: InPCA(1, "precomputed").fit(SQUARES[:2]), "predictions: squared distances must"),
        (lambda: InPCA(1, "precomputed").fit(SQUARES + 1), "predictions: a model's squared"),
        (lambda: InPCA(1, "precomputed").fit(np.triu(SQUARES)), "predictions: squared distances"),
        (lambda: InPCA(1).transform(PAIR), "InPCA: fit it first"),
        (lambda: InPCA(1).explained_stress(), "InPCA: fit it first"),
        (lambda: InPCA(1).fit(PAIR).transform(SQUARES), "predictions: expected gn.Predictions"),
        (lambda: InPCA(1).fit(PAIR).transform(draw(gn.Gaussian())), "other: .* same data"),
        (
            lambda: InPCA(1, "precomputed").fit(SQUARES).transform([[0.0, 1.0]]),
            r"predictions: expected shape \(any, 3\)",
        ),
        (lambda: InPCA(1).fit(PAIR).explained_stress(3), "k: there are 2 components"),
    ],
)
def test_what_cannot_be_is_said(call, message):
    with pytest.raises(gn.InputError, match=message):
        call()
