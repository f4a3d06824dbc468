"""Trained networks of scikit-learn, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ...utils.arrays import Array
from ...utils.validation import check_array

__all__ = ["Reading", "classes_of", "read_sklearn"]

Reading = tuple[list[Array], list[Array | None], list[str], dict[int, tuple[int, float]]]
"""Weights, biases, activations and skips of a network, layer by layer."""


def read_sklearn(model: Any) -> Reading:
    r"""Read a fitted multi-layer perceptron of scikit-learn.

    The last layer is read as linear: the network returns logits, or means, to which
    scikit-learn applies its output activation. The likelihood it was trained with is

    ===============================  ==========================================  =============
    model                            likelihood                                  of outputs z
    ===============================  ==========================================  =============
    ``MLPClassifier``, two classes   ``gn.Bernoulli()``, of ``classes_[1]``      one logit
    ``MLPClassifier``, C > 2         ``gn.Categorical(len(model.classes_))``     logits
    ``MLPClassifier``, multilabel    ``gn.Bernoulli(model.n_outputs_)``          logits
    ``MLPRegressor``                 ``gn.Gaussian(sigma, model.n_outputs_)``    means
    ===============================  ==========================================  =============

    with sigma the root of the mean squared residual, say.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or MLPRegressor
        Fitted; it is not changed, and shares no memory with what is returned.

    Returns
    -------
    weights : list of ndarray, each (out, in)
        The transpose of ``model.coefs_``, in float64.
    biases : list of ndarray, each (out,)
    activations : list of str
        ``model.activation`` for every hidden layer, "identity" for the last.
    skips : dict
        Empty: a perceptron has none.

    Raises
    ------
    InputError
        For other estimators, those not fitted, and a regressor of Poisson loss.

    Examples
    --------
    >>> from sklearn.neural_network import MLPClassifier
    >>> points, labels = [[0.0], [1.0], [2.0]] * 9, [0, 1, 2] * 9
    >>> model = MLPClassifier((4,), activation="tanh", max_iter=3000, random_state=0)
    >>> weights, biases, activations, skips = read_sklearn(model.fit(points, labels))
    >>> [weight.shape for weight in weights], activations, skips
    ([(4, 1), (3, 4)], ['tanh', 'identity'], {})
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = type(model).__name__
    if not isinstance(model, (MLPClassifier, MLPRegressor)):
        raise InputError(
            "model: expected a fitted sklearn.neural_network.MLPClassifier or MLPRegressor, got "
            f"{kind if not isinstance(model, type) else f'the class {model.__name__}'}; "
            f"{_mend(model)}"
        )
    if not hasattr(model, "coefs_"):
        raise InputError(f"model: this {kind} is not fitted; call model.fit(points, targets) first")
    if getattr(model, "loss", None) == "poisson":
        raise InputError(
            "model: this regressor's loss is Poisson, so that its network gives logarithms of "
            "means, and geomnet has no such likelihood; train with loss='squared_error'"
        )
    weights: list[Array] = []
    biases: list[Array | None] = []
    for layer, (coefs, intercepts) in enumerate(zip(model.coefs_, model.intercepts_)):
        weight = check_array(f"model.coefs_[{layer}]", coefs, ndim=2)
        bias = check_array(f"model.intercepts_[{layer}]", intercepts, shape=weight.shape[1:])
        weights.append(np.array(weight.T, order="C"))
        biases.append(bias.copy())
    return weights, biases, [model.activation] * (len(weights) - 1) + ["identity"], {}


def classes_of(model: Any) -> tuple[Any, ...] | None:
    """What a fitted classifier calls its classes, in the order of its outputs.

    None of a regressor, and of a classifier of several labels at once.
    """
    several = getattr(model, "out_activation_", "") == "logistic" and model.n_outputs_ > 1
    if several or not hasattr(model, "classes_"):
        return None
    return tuple(np.asarray(model.classes_).tolist())


def _mend(model: Any) -> str:
    """What to give instead of an estimator that is no perceptron."""
    if hasattr(model, "steps"):
        return (
            "of a pipeline, take its last step, model[-1], and give the sample as the earlier "
            "steps transform it, model[:-1].transform(points)"
        )
    if hasattr(model, "param_distributions") or hasattr(model, "param_grid"):
        return "of a search over parameters, take its best_estimator_"
    if isinstance(model, type):
        return "make one and fit it"
    return "geomnet reads multi-layer perceptrons only"
