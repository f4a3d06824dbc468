"""Naive oracles: each quantity straight from its definition, by sums, loops and autograd.

Slow and independent of geomnet's own formulas; what they need of a geomnet object is its kind and
its parameters, nothing it computes.
"""

from functools import lru_cache
from itertools import product

import autograd
import autograd.numpy as anp
import numpy as np
from scipy.integrate import quad, solve_bvp, solve_ivp
from scipy.optimize import minimize

import geomnet as gn

# -- derivatives ------------------------------------------------------------------------------


def central_difference(function, x, direction, step=1e-3):
    """Derivative of a function along a direction, by a difference of fourth order."""

    def at(t):
        return function(x + t * step * direction)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def numerical_gradient(function, x, step=1e-3):
    """Gradient of a scalar function, one coordinate after the other."""
    units = np.eye(x.size).reshape((x.size, *x.shape))
    return np.array([central_difference(function, x, e, step) for e in units]).reshape(x.shape)


# -- likelihoods ------------------------------------------------------------------------------


def log_density(likelihood, z, y):
    """Logarithm of p(y|z) for one datum, by the textbook formula, in autograd.numpy."""
    if isinstance(likelihood, gn.Categorical):
        return anp.log(anp.exp(z)[y] / anp.sum(anp.exp(z)))
    if isinstance(likelihood, gn.Bernoulli):
        p = 1 / (1 + anp.exp(-z))
        return anp.sum(y * anp.log(p) + (1 - y) * anp.log(1 - p))
    mean, sigma = moments(likelihood, z)
    return anp.sum(anp.log(anp.exp(-((y - mean) ** 2) / (2 * sigma**2)) / sigma)) - len(
        y
    ) / 2 * anp.log(2 * anp.pi)


def moments(likelihood, z):
    """Means and standard deviations of a normal likelihood."""
    if isinstance(likelihood, gn.Gaussian):
        return z, likelihood.sigma * anp.ones(likelihood.dim)
    return z[: likelihood.dim], anp.exp(z[likelihood.dim :])


def outcomes(likelihood, z):
    """Pairs (probability, y): all of them, or the nodes of a Gauss–Hermite rule.

    Three nodes an output integrate polynomials of degree 5 exactly; squared scores have degree 4.
    """
    if isinstance(likelihood, gn.Categorical):
        p = anp.exp(z) / anp.sum(anp.exp(z))
        return [(p[y], y) for y in range(likelihood.n_classes)]
    if isinstance(likelihood, gn.Bernoulli):
        p = 1 / (1 + anp.exp(-z))
        sides = [np.array(s, dtype=float) for s in product((0, 1), repeat=likelihood.dim)]
        return [(anp.prod(p**y * (1 - p) ** (1 - y)), y) for y in sides]
    mean, sigma = moments(likelihood, z)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    weights = weights / weights.sum()
    return [
        (np.prod(weights[list(k)]), mean + sigma * nodes[list(k)])
        for k in product(range(3), repeat=likelihood.dim)
    ]


def fisher_matrix(likelihood, z):
    """Expected square of the score, E_y[∂log p ∂log pᵀ], summed over y; in autograd.numpy."""
    score = autograd.grad(log_density, 1)
    total = 0.0
    for probability, y in outcomes(likelihood, z):
        s = score(likelihood, z, y)
        total = total + probability * s[:, None] * s[None, :]
    return total


def distance(likelihood, start, end):
    """Closed Fisher–Rao distance, straight from the formulas of the families."""
    if isinstance(likelihood, gn.Categorical):
        p, q = np.exp(start) / np.exp(start).sum(), np.exp(end) / np.exp(end).sum()
        return 2 * np.arccos(np.sum(np.sqrt(p * q)))
    if isinstance(likelihood, gn.Bernoulli):
        p, q = 1 / (1 + np.exp(-start)), 1 / (1 + np.exp(-end))
        arcs = 2 * np.arccos(np.sqrt(p * q) + np.sqrt((1 - p) * (1 - q)))
        return np.sqrt(np.sum(arcs**2))
    (a, s), (b, t) = moments(likelihood, start), moments(likelihood, end)
    if isinstance(likelihood, gn.Gaussian):
        return np.sqrt(np.sum((a - b) ** 2 / (s * t)))
    arcs = np.sqrt(2) * np.arccosh(1 + ((a - b) ** 2 / 2 + (s - t) ** 2) / (2 * s * t))
    return np.sqrt(np.sum(arcs**2))


def squared_distance(likelihood, start, end):
    """Square of `distance` by half angles, which autograd can differentiate near equal ends."""
    if isinstance(likelihood, gn.Categorical):
        p, q = anp.exp(start) / anp.sum(anp.exp(start)), anp.exp(end) / anp.sum(anp.exp(end))
        chord = anp.sqrt(anp.sum((anp.sqrt(p) - anp.sqrt(q)) ** 2))
        return 16 * anp.arcsin(chord / 2) ** 2
    if isinstance(likelihood, gn.Bernoulli):
        return 4 * anp.sum((anp.arctan(anp.exp(start / 2)) - anp.arctan(anp.exp(end / 2))) ** 2)
    (a, s), (b, t) = moments(likelihood, start), moments(likelihood, end)
    if isinstance(likelihood, gn.Gaussian):
        return anp.sum((a - b) ** 2 / (s * t))
    half = anp.sqrt(((a - b) ** 2 / 2 + (s - t) ** 2) / (4 * s * t))
    return 8 * anp.sum(anp.arcsinh(half) ** 2)


def squared_distance_derivatives(likelihood, start, end):
    """Gradient (2C,) and Hessian (2C, 2C) of `squared_distance` in both ends, by autograd."""
    size = len(start)

    def of_both(both):
        return squared_distance(likelihood, both[:size], both[size:])

    both = np.concatenate([start, end])
    return autograd.grad(of_both)(both), autograd.hessian(of_both)(both)


def draw(likelihood, z, rng):
    """Draw one target y for each row of z, as p(y|z) has it."""
    if isinstance(likelihood, gn.Categorical):
        return np.array([rng.choice(len(r), p=np.exp(r) / np.exp(r).sum()) for r in z])
    if isinstance(likelihood, gn.Bernoulli):
        return (rng.uniform(size=z.shape) < 1 / (1 + np.exp(-z))).astype(float)
    pairs = [moments(likelihood, row) for row in z]
    return np.array([m + s * rng.normal(size=likelihood.dim) for m, s in pairs])


# -- kernels ----------------------------------------------------------------------------------


def kernel(k, x, y):
    """Kernel of two points: Rasmussen & Williams, eqs. (4.9) and (4.17), or Ψ(x)R⁻¹Ψ(y)ᵀ."""
    if isinstance(k, gn.geometry.FeatureKernel):
        left, right = k.field.features(x[None])[0], k.field.features(y[None])[0]
        effort = np.ones(len(left)) if k.effort is None else np.asarray(k.effort)
        effort = np.diag(effort) if effort.ndim == 1 else effort
        return left @ np.linalg.solve(effort, right)
    r = np.sqrt(sum((a - b) ** 2 for a, b in zip(x, y))) / k.width
    if isinstance(k, gn.GaussianKernel):
        return np.exp(-(r**2) / 2)
    if isinstance(k, gn.Matern32Kernel):
        return (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r)
    return (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r)


def kernel_matrix(k, points, others):
    """Kernel matrix, entry by entry."""
    return np.array([[kernel(k, x, y) for y in others] for x in points])


# -- networks ---------------------------------------------------------------------------------


def hidden_layer_field(activation, dim, width, theta, x):
    """A·act(Wx + b) + c at one point, unit by unit; θ holds W, b, A, c, matrices by rows."""
    theta = list(theta)
    take = iter(theta)
    w = [[next(take) for _ in range(dim)] for _ in range(width)]
    b = [next(take) for _ in range(width)]
    a = [[next(take) for _ in range(width)] for _ in range(dim)]
    c = [next(take) for _ in range(dim)]
    hidden = [activation(b[j] + sum(w[j][k] * x[k] for k in range(dim))) for j in range(width)]
    return np.array([c[i] + sum(a[i][j] * hidden[j] for j in range(width)) for i in range(dim)])


def euler_step(f, x, h):
    """One layer of a residual network."""
    return x + h * f(x)


def midpoint_step(f, x, h):
    """Runge's midpoint rule."""
    return x + h * f(x + h / 2 * f(x))


def rk4_step(f, x, h):
    """Kutta's classical rule."""
    first = f(x)
    second = f(x + h / 2 * first)
    third = f(x + h / 2 * second)
    fourth = f(x + h * third)
    return x + h * (first + 2 * second + 2 * third + fourth) / 6


def network_states(step, field_at, theta, points):
    """States (L+1, n, d), one point and one layer after the other; field_at(layer, x)."""
    paths = []
    for x in points:
        path = [x]
        for layer in theta:
            path.append(step(lambda x, layer=layer: field_at(layer, x), path[-1], 1 / len(theta)))
        paths.append(path)
    return np.swapaxes(np.array(paths), 0, 1)


# -- metrics ----------------------------------------------------------------------------------


def inner_product(metric, u, v, x):
    """Inner product at one map from its definition, point by point; a user's is its own."""
    weights = metric.space.sample.weights
    if type(metric) is gn.L2Metric:
        return sum(w * a @ b for w, a, b in zip(weights, u, v))
    if type(metric) is gn.EnergyMetric:
        matrix = kernel_matrix(metric.kernel, x, x) + metric.nugget * np.eye(len(x))
        inverse = np.linalg.inv(matrix)
        return sum(inverse[i, j] * u[i] @ v[j] for i in range(len(x)) for j in range(len(x)))
    if type(metric) is gn.FisherRaoMetric:
        weight, total = metric.readout.weight, 0.0
        for w, a, b, z in zip(weights, u, v, readout(metric, x)):
            fisher = _fisher_at(metric.likelihood, tuple(z))
            total += w * ((weight @ a) @ fisher @ (weight @ b) + metric.ridge * a @ b)
        return total
    if hasattr(metric, "terms"):
        return sum(a * inner_product(m, u, v, x) for a, m in metric.terms)
    return metric.inner_product(u, v, x)


@lru_cache(maxsize=64)
def _fisher_at(likelihood, z):
    return fisher_matrix(likelihood, np.array(z))


def readout(metric, x):
    """Parameters of the likelihood, one point after the other."""
    weight, bias = metric.readout.weight, metric.readout.bias
    return [weight @ point + bias for point in x]


def metric_matrix(metric, x):
    """Matrix of a metric at one map, (nd, nd), entry by entry."""
    units = np.eye(x.size).reshape((x.size, *x.shape))
    return np.array([[inner_product(metric, a, b, x) for b in units] for a in units])


def squared_step(metric, start, end):
    """Squared step of one segment: the likelihood's distance, or the midpoint rule."""
    if type(metric) is gn.FisherRaoMetric:
        pairs = zip(metric.space.sample.weights, readout(metric, start), readout(metric, end))
        closed = sum(w * squared_distance(metric.likelihood, a, b) for w, a, b in pairs)
        moved = sum(w * step @ step for w, step in zip(metric.space.sample.weights, end - start))
        return closed + metric.ridge * moved
    if hasattr(metric, "terms"):
        return sum(a * squared_step(m, start, end) for a, m in metric.terms)
    return inner_product(metric, end - start, end - start, (start + end) / 2)


def path_energy(metric, path):
    """Discrete energy of a path, N Σ_k s(Z_k, Z_{k+1}), step by step."""
    steps = [squared_step(metric, path[k], path[k + 1]) for k in range(len(path) - 1)]
    return len(steps) * sum(steps)


def stiffness(metric, path):
    """Frozen-metric stiffness 2N DᵀGD on the interior states, dense, segment by segment."""
    n_steps, size = len(path) - 1, path[0].size
    matrix = np.zeros(((n_steps + 1) * size, (n_steps + 1) * size))
    for k in range(n_steps):
        frozen = 2 * n_steps * metric_matrix(metric, (path[k] + path[k + 1]) / 2)
        here, there = slice(k * size, (k + 1) * size), slice((k + 1) * size, (k + 2) * size)
        matrix[here, here] += frozen
        matrix[there, there] += frozen
        matrix[here, there] -= frozen
        matrix[there, here] -= frozen
    return matrix[size:-size, size:-size]


def path_gradient(metric, path):
    """Gradient of the path energy in the interior states, by differences of adjoining steps."""
    n_steps = len(path) - 1

    def adjoining(k):
        return lambda z: squared_step(metric, path[k - 1], z) + squared_step(metric, z, path[k + 1])

    return n_steps * np.array(
        [numerical_gradient(adjoining(k), path[k]) for k in range(1, n_steps)]
    )


def least_energy_path(metric, start, end, n_steps):
    """Minimise the path energy from the straight line by scipy's BFGS.

    In coordinates in which the stiffness of the line is the identity, for fewer iterations.
    """
    line = np.linspace(start, end, n_steps + 1)
    root = np.linalg.cholesky(stiffness(metric, line))

    def path(y):
        moved = np.linalg.solve(root.T, y).reshape(line[1:-1].shape)
        return np.concatenate([line[:1], line[1:-1] + moved, line[-1:]])

    found = minimize(
        lambda y: path_energy(metric, path(y)),
        np.zeros(line[1:-1].size),
        jac=lambda y: np.linalg.solve(root, path_gradient(metric, path(y)).ravel()),
        method="BFGS",
        options={"gtol": 1e-9},
    )
    return path(found.x)


def hamiltonian_flow(metric, point, momentum):
    """Solve Hamilton's equations over [0, 1] by scipy's explicit Runge–Kutta method of order 8."""
    shape, size = point.shape, point.size

    def slope(_, both):
        x, p = both[:size].reshape(shape), both[size:]
        velocity = np.linalg.solve(metric_matrix(metric, x), p).reshape(shape)
        force = numerical_gradient(lambda x: inner_product(metric, velocity, velocity, x), x) / 2
        return np.concatenate([velocity.ravel(), force.ravel()])

    both = np.concatenate([point.ravel(), momentum.ravel()])
    end = solve_ivp(slope, (0, 1), both, method="DOP853", rtol=1e-10, atol=1e-11).y[:, -1]
    return end[:size].reshape(shape), end[size:].reshape(shape)


def line_length(speed, start, end):
    """Length of an interval of the line whose unit vectors have the given lengths."""
    return quad(speed, start, end, epsabs=1e-13, epsrel=1e-13, limit=400)[0]


# -- charts -----------------------------------------------------------------------------------


def chart_energy(matrix, path):
    """Path energy by the midpoint rule, N Σ uᵀG(m)u, step by step; in autograd.numpy."""
    total, count = 0.0, len(path) - 1
    for k in range(count):
        u, m = path[k + 1] - path[k], 0.5 * (path[k] + path[k + 1])
        total = total + anp.dot(u, anp.dot(matrix(m[None])[0], u))
    return count * total


def chordal_energy(immersion, path):
    """Path energy by chords, N Σ |f(x_{k+1}) − f(x_k)|²; in autograd.numpy."""
    images = immersion(path)
    return (len(path) - 1) * anp.sum((images[1:] - images[:-1]) ** 2)


def interior_derivatives(energy, path):
    """Gradient (N−1, d) and dense Hessian ((N−1)d, (N−1)d) in the interior states, by autograd."""
    shape = path[1:-1].shape

    def of_interior(z):
        z = anp.reshape(z, shape)
        return energy(anp.concatenate([path[:1], z, path[-1:]]))

    z = path[1:-1].ravel()
    return autograd.grad(of_interior)(z).reshape(shape), autograd.hessian(of_interior)(z)


def form_derivatives(matrix, v, x):
    """G, C = ∂²h/∂x∂v and A = ∂²h/∂x∂x of h = vᵀG(x)v at one point, by autograd."""
    d = len(x)

    def form(both):
        return anp.dot(both[d:], anp.dot(matrix(both[None, :d])[0], both[d:]))

    hessian = autograd.hessian(form)(np.concatenate([x, v]))
    return 0.5 * hessian[d:, d:], hessian[:d, d:], hessian[:d, :d]


def polynomial_path(start, end, coefficients):
    """The path (1−t)a + tb + Σ c_j∫√(2j+1)P_j as numpy's own polynomials, one a coordinate."""
    paths = []
    for i in range(len(start)):
        path = np.polynomial.Polynomial([start[i], end[i] - start[i]])
        for j, c in enumerate(coefficients[:, i], start=1):
            shifted = np.polynomial.Legendre.basis(j, domain=[0, 1])
            term = shifted.convert(kind=np.polynomial.Polynomial).integ()
            path = path + c * np.sqrt(2 * j + 1) * (term - term(0.0))
        paths.append(path)
    return paths


def polynomial_energy(matrix, start, end, coefficients):
    """∫ẋᵀG(x)ẋ dt of such a path, by adaptive quadrature."""
    paths = polynomial_path(start, end, coefficients)
    slopes = [p.deriv() for p in paths]

    def speed(t):
        v = np.array([p(t) for p in slopes])
        return v @ matrix(np.array([[p(t) for p in paths]]))[0] @ v

    return quad(speed, 0, 1, epsabs=0, epsrel=1e-12, limit=200)[0]


def geodesic_by_collocation(matrix, start, end):
    """Distance and initial velocity by scipy's solve_bvp on the geodesic equation.

    Gẍ = ½∂_x(ẋᵀGẋ) − (∂_ẋG)ẋ, with the derivatives of G by differences of fourth order.
    """
    d = len(start)

    def field(_, both):
        x, v = both[:d].T, both[d:].T
        change = [central_difference(matrix, x, np.eye(d)[c]) for c in range(d)]
        force = 0.5 * np.einsum("ka,ckab,kb->kc", v, change, v)
        force -= np.einsum("ckab,kb,kc->ka", change, v, v)
        return np.concatenate([v.T, np.linalg.solve(matrix(x), force[..., None])[..., 0].T])

    times = np.linspace(0, 1, 21)
    line = start[:, None] + (end - start)[:, None] * times
    found = solve_bvp(
        field,
        lambda left, right: np.concatenate([left[:d] - start, right[:d] - end]),
        times,
        np.concatenate([line, np.tile((end - start)[:, None], (1, 21))]),
        tol=1e-8,
        max_nodes=20000,
    )
    assert found.success
    velocity = found.y[d:, 0]
    return np.sqrt(velocity @ matrix(start[None])[0] @ velocity), velocity


# -- Jacobi fields ----------------------------------------------------------------------------


def first_zero(curvature, until):
    """First zero of f'' + K(t) f = 0 with f(0) = 0, f'(0) = 1, by scipy's events."""

    def crossing(t, state):
        return state[0] if t > 1e-3 else 1.0

    found = solve_ivp(
        lambda t, state: [state[1], -curvature(t) * state[0]],
        (0, until),
        [0.0, 1.0],
        method="DOP853",
        rtol=1e-12,
        atol=1e-13,
        events=crossing,
    )
    return found.t_events[0][0]


def parallel_transport(metric_matrix, path, velocity, vector, until):
    """Integrate u' = −Γ(γ', u) with Christoffel symbols by differences of the metric matrix."""

    def slope(t, u):
        x, v = path(t), velocity(t)
        units = np.eye(len(x))
        change = np.array([central_difference(metric_matrix, x, e) for e in units])
        # Γ_k(v, u) with the first index lowered
        lowered = 0.5 * (
            np.einsum("ikj,i,j->k", change, v, u)
            + np.einsum("jki,i,j->k", change, v, u)
            - np.einsum("kij,i,j->k", change, v, u)
        )
        return -np.linalg.solve(metric_matrix(x), lowered)

    return solve_ivp(slope, (0, until), vector, method="DOP853", rtol=1e-10, atol=1e-11).y[:, -1]
