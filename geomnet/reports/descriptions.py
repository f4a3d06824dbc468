"""What a certificate, and a network's Fisher information, say in plain words."""

from __future__ import annotations

from ..geodesics import Geodesic
from ..geometry.structure import Structure
from ..studies import FisherSummary
from .numbers import number

__all__ = ["certificate_in_words", "fisher_in_words"]


def certificate_in_words(geo: Geodesic, lower_bound: float | None = None) -> str:
    """One paragraph on how far a geodesic can be trusted.

    Parameters
    ----------
    geo : Geodesic
    lower_bound : float, optional
        A distance in closed form that no path can pass.
    """
    certificate = geo.certificate
    if geo.metric is not None and geo.metric.structure is Structure.FLAT:
        return (
            "This metric is constant, so the straight line is the shortest path and its length is "
            "known exactly."
        )
    share = 100 * certificate.error_estimate / geo.distance if geo.distance else 0.0
    words = [
        "The solver converged: " if certificate.converged else "The solver did NOT converge: ",
        f"the gradient of the path energy is {certificate.gradient_norm:.0e} "
        f"(it was asked to fall below {certificate.tolerance:.0e}), after "
        f"{certificate.gradient_evaluations} gradients and {certificate.hessian_products} "
        f"Hessian products at {geo.n_steps} steps. ",
        f"Solving again with half and a quarter of the steps puts the distance at "
        f"{number(geo.distance, 6)}, good to ±{certificate.error_estimate:.1e} "
        f"({number(share, 2)} %). ",
    ]
    order = certificate.observed_order
    if order is None:
        words.append(
            "The change with the number of steps is too small, or too irregular, to read an order "
            "of convergence from. "
        )
    elif 1.5 <= order <= 2.7:
        words.append(f"The error falls with the step as order {order:.2f}; theory says 2. ")
    else:
        words.append(
            f"The error does not yet fall with order 2 (it shows {order:.2f}), so the estimate is "
            "kept wide; more steps would narrow it. "
        )
    words.append(
        "The speed is constant along the path to "
        f"{number(100 * certificate.speed_variation, 2)} %. "
    )
    if certificate.locally_shortest:
        words.append(
            "No path nearby is shorter: the second variation is positive in every direction "
            f"(its lowest relative eigenvalue is {number(certificate.lowest_eigenvalue, 2)})."
        )
    elif certificate.locally_shortest is False:
        words.append(
            "A path nearby is SHORTER: the second variation is negative in some direction "
            f"(lowest relative eigenvalue {number(certificate.lowest_eigenvalue, 2)}). The "
            "geodesic passes a conjugate point."
        )
    else:
        words.append(
            "Whether a path nearby is shorter is not decided: the lowest relative eigenvalue of "
            "the second variation is too close to zero."
        )
    if lower_bound is not None:
        words.append(
            f" The predictions at both ends alone are {number(lower_bound, 6)} apart, in closed "
            "form: no path can be shorter, and the distance falls to it with the ridge where the "
            "readout can follow every prediction."
        )
    if not certificate.converged:
        words.append(f" Remedy: {geo.status}.")
    return "".join(words)


def fisher_in_words(summary: FisherSummary, ridged: bool) -> tuple[list[str], list[str]]:
    """Paragraphs on a network's Fisher information, those before its table and those after.

    Parameters
    ----------
    summary : FisherSummary
    ridged : bool
        Whether Fisher–Rao lengths with a ridge are on the page too.
    """
    before = [
        "How firmly do the data hold the trained network's parameters? The Fisher information G "
        "is a metric on parameter space: a small step v of the parameters moves the predictions "
        "by √(vᵀGv), in the mean over the data. Eigenvectors of large eigenvalues are directions "
        "that the predictions feel; along those of small ones the parameters can move, and the "
        "network says the same. "
        f"Of all {summary.n_parameters} directions {summary.rank} move some prediction at all, "
        f"and 90 % of the trace lies in {summary.directions(0.9)}."
    ]
    if summary.spectrum_n < summary.n:
        before.append(
            f"Eigenvalues, rank and effective dimension are of {summary.spectrum_n} of the "
            f"{summary.n} data, drawn at random, which keeps the matrix small; all else is of all "
            "data."
        )
    after = [
        _effective_dimension_in_words(summary),
        "The information length adds up, layer by layer, how much of the predictions hangs on "
        "the size of that layer's parameters. Like trace and eigenvalues it depends on how "
        "the network is written in parameters; what follows does not.",
    ]
    path = (
        "Read out every layer's state as the last one is: that is what the network would say so "
        "far, and from input to output a path of predictions. Its Fisher–Rao length is "
        f"{number(summary.path_length)}"
    )
    if summary.path_chord > 0:
        path += (
            f", {number(summary.path_excess, 4)} times the distance {number(summary.path_chord)} "
            "of its ends, which is the least any path could have"
        )
    if ridged:
        path += (
            ". Fisher–Rao lengths in the tables above have a ridge besides, and are longer by it"
        )
    after.append(path + ".")
    return before, after


def _effective_dimension_in_words(summary: FisherSummary) -> str:
    dimension = summary.effective_dimension
    if dimension is None:
        return (
            f"The effective dimension is not defined for {summary.n} data; it takes 20 or more, "
            "and predictions that the parameters move."
        )
    words = (
        f"The effective dimension counts the directions that {summary.n} data can tell apart "
        f"(Abbas et al. 2021): {number(dimension, 4)}, which is "
        f"{number(100 * dimension / summary.n_parameters, 3)} % of all."
    )
    if dimension > summary.rank:
        words += (
            " That is more than the rank: with so few data the definition overshoots. More data "
            "bring it below."
        )
    return words
