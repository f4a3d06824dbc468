"""Labels are held against the classes that a classifier was trained on."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import geomnet as gn

POINTS, LABELS = load_iris(return_X_y=True)
POINTS = (POINTS - POINTS.mean(axis=0)) / POINTS.std(axis=0)
NAMES = np.array(["setosa", "versicolor", "virginica"])


def fitted(labels):
    return MLPClassifier((6,), max_iter=300, random_state=0).fit(POINTS, labels)


def empirical(labels, kept):
    network, theta = gn.FeedForward.from_sklearn(fitted(labels))
    sample = gn.Sample(POINTS[kept], labels=labels[kept])
    return gn.FisherInformation(network, theta, sample, gn.Categorical(3), kind="empirical")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "labels", [LABELS, LABELS + 1, LABELS * 10 - 3, NAMES[LABELS]], ids=["0", "1", "-3", "names"]
)
def test_a_sample_that_lacks_a_class_has_the_loss_of_its_own_labels(labels):
    fisher = empirical(labels, LABELS < 2)
    probability = fitted(labels).predict_proba(POINTS[LABELS < 2])
    right = probability[np.arange(100), LABELS[LABELS < 2]]
    assert fisher.loss() == pytest.approx(-np.log(right).mean(), rel=1e-9)
    assert fisher.loss() == pytest.approx(0.5340, abs=1e-3)
    assert fisher.trace() == pytest.approx(1.0008, abs=5e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_two_classes_are_those_of_the_one_logit():
    two, labels = LABELS < 2, LABELS[LABELS < 2] + 5
    model = MLPClassifier((6,), max_iter=300, random_state=0).fit(POINTS[two], labels)
    sample = gn.Sample(POINTS[two], labels=labels)
    fisher = gn.FisherInformation(model, None, sample, gn.Bernoulli(), kind="empirical")
    right = model.predict_proba(POINTS[two])[np.arange(100), labels - 5]
    assert fisher.loss() == pytest.approx(-np.log(right).mean(), rel=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("labels", "other"), [(LABELS + 1, 0), (NAMES[LABELS], 1), (NAMES[LABELS], "iris")]
)
def test_a_label_that_is_no_class_is_named(labels, other):
    network, theta = gn.FeedForward.from_sklearn(fitted(labels))
    sample = gn.Sample(POINTS[:3], labels=np.array([other] * 3))
    with pytest.raises(gn.InputError, match=f"^labels: {other!r} is none of the classes"):
        gn.FisherInformation(network, theta, sample, gn.Categorical(3), kind="empirical").loss()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_training_goes_on_with_the_same_classes():
    network, theta = gn.FeedForward.from_sklearn(fitted(NAMES[LABELS]))
    sample = gn.Sample(POINTS, labels=NAMES[LABELS])
    fit = gn.train(network, sample, gn.Categorical(3), theta=theta, epochs=2)
    assert fit.train_accuracy > 0.8
    path = gn.predictions.layer_predictions(network, theta, sample, gn.Categorical(3))
    np.testing.assert_array_equal(path.labels, LABELS)
    wide = gn.gauge.split(network, theta, layer=1, unit=0, share=0.5)
    assert wide.network.classes == network.classes
