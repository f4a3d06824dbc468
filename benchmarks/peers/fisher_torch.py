"""Fisher information by nngeometry, curvlinops, BackPACK and torch.func.

Runs in the peers' own environment, imports nothing of geomnet and builds the networks from the
arrays it is sent. Every call is the one its library recommends for the quantity, on one full batch
in float64: nngeometry gets a loader that hands the batch out whole (the stock one stacks it sample
by sample), curvlinops is not asked to check that it is deterministic. The categorical Fisher matrix
is the generalised Gauss–Newton matrix of the mean cross-entropy, whatever the labels.
"""

from __future__ import annotations

from protocol import serve

# isort: split
import time
import warnings
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from backpack import backpack, extend, extensions
from backpack.custom_module.branching import Parallel
from backpack.custom_module.scale_module import ScaleModule
from curvlinops import FisherType, GGNLinearOperator, KFACLinearOperator
from nngeometry import object as representations
from nngeometry.gram import GramMatrix
from nngeometry.layercollection import LayerCollection
from nngeometry.metrics import FIM
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn
from torch.func import functional_call, jacrev, jvp, linearize, vjp, vmap
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
# of modules whose inputs need no gradient, and of constants folded
warnings.filterwarnings("ignore", message="Full backward hook|Attempted to insert a get_attr")


class WholeBatch(DataLoader):
    """A loader whose one batch is ready."""

    def __init__(self, points: torch.Tensor) -> None:
        super().__init__(TensorDataset(points), batch_size=len(points))
        self.points = points

    def __iter__(self):
        """The batch; nngeometry asks for gradients at it, so that each turn gets its own leaf."""
        return iter([[self.points.detach()]])


def build(layers: list[tuple[np.ndarray, np.ndarray, float | None]]) -> nn.Sequential:
    """Layers (W, b, skip): a block x + skip·tanh(Wx + b) where skip is a number."""
    modules: list[nn.Module] = []
    for number, (weight, bias, skip) in enumerate(layers):
        affine = nn.Linear(*weight.shape[::-1])
        affine.weight.data = torch.from_numpy(weight)
        affine.bias.data = torch.from_numpy(bias)
        if skip is not None:
            block = nn.Sequential(affine, nn.Tanh(), ScaleModule(skip))
            modules.append(Parallel(nn.Identity(), block))
        else:
            modules += [affine] if number == len(layers) - 1 else [affine, nn.Tanh()]
    return nn.Sequential(*modules)


class Peers:
    """One network on one set of points; every public method without underscore is a call to time.

    What a library can keep between calls is made once, by the cached properties.
    """

    def __init__(self, file: str, n: int) -> None:
        data = np.load(file)
        skips = [None if np.isnan(s) else float(s) for s in data["skips"]]
        layers = [(data[f"w{i}"], data[f"b{i}"], s) for i, s in enumerate(skips)]
        self._layers = layers
        self._model = build(layers)
        self._points = torch.from_numpy(data["points"][:n].copy())
        self._labels = torch.zeros(n, dtype=torch.long)  # the Fisher matrix does not depend on them
        self._vectors = torch.from_numpy(data["vectors"])
        self._batches = [(self._points, self._labels)]
        self._loader = WholeBatch(self._points)
        self._parameters = dict(self._model.named_parameters())
        self._detached = {k: p.detach() for k, p in self._parameters.items()}

    # curvlinops ------------------------------------------------------------------------------

    @cached_property
    def _ggn(self) -> GGNLinearOperator:
        return GGNLinearOperator(
            self._model,
            nn.CrossEntropyLoss(),
            list(self._model.parameters()),
            self._batches,
            check_deterministic=False,
            num_data=len(self._points),
        )

    def curvlinops_matvec(self) -> Any:
        """GGNLinearOperator @ v."""
        return self._ggn @ self._vectors[:, 0]

    def curvlinops_matmat(self) -> Any:
        """GGNLinearOperator @ V, 16 columns."""
        return self._ggn @ self._vectors

    def curvlinops_top20(self, tol: float = 0.0) -> Any:
        """scipy eigsh(GGNLinearOperator(...).to_scipy(), k=20)."""
        return self._top(self._ggn.to_scipy(), tol)

    def curvlinops_kfac(self) -> Any:
        """KFACLinearOperator(fisher_type="type-2", separate_weight_and_bias=False)."""
        operator = KFACLinearOperator(
            self._model,
            nn.CrossEntropyLoss(),
            list(self._model.parameters()),
            self._batches,
            check_deterministic=False,
            fisher_type=FisherType.TYPE2,
            separate_weight_and_bias=False,
            num_data=len(self._points),
            num_per_example_loss_terms=1,
        )
        operator.compute_kronecker_factors()
        names = operator._input_covariances
        # its inputs carry the bias last and its factors sit layer by layer
        return self._pairs(
            [(operator._input_covariances[k], operator._gradient_covariances[k]) for k in names]
        )

    # nngeometry ------------------------------------------------------------------------------

    @cached_property
    def _collection(self) -> LayerCollection:
        return LayerCollection.from_model(self._model)

    def _fim(self, representation: Any) -> Any:
        return FIM(
            self._model,
            self._loader,
            representation,
            variant="classif_logits",
            layer_collection=self._collection,
        )

    @cached_property
    def _implicit(self) -> Any:
        return self._fim(representations.PMatImplicit)

    @cached_property
    def _vector(self) -> Any:
        from nngeometry.object.vector import PVector

        return PVector(self._collection, vector_repr=self._vectors[:, 0].clone())

    def nngeometry_matvec(self) -> Any:
        """FIM(..., PMatImplicit).mv(v)."""
        return self._implicit.mv(self._vector).to_torch()

    def nngeometry_trace(self) -> Any:
        """FIM(..., PMatImplicit).trace()."""
        return self._implicit.trace()

    def nngeometry_diag(self) -> Any:
        """FIM(..., PMatDiag)."""
        return self._fim(representations.PMatDiag).get_diag()

    def nngeometry_dense(self) -> Any:
        """FIM(..., PMatDense)."""
        return self._fim(representations.PMatDense).to_torch()

    def nngeometry_blocks(self) -> Any:
        """FIM(..., PMatBlockDiag)."""
        blocks = self._fim(representations.PMatBlockDiag).data
        return torch.cat([block.ravel() for block in blocks.values()])

    def nngeometry_kfac(self) -> Any:
        """FIM(..., PMatKFAC)."""
        return self._pairs(list(self._fim(representations.PMatKFAC).data.values()))

    def nngeometry_ntk(self) -> Any:
        """GramMatrix(model, loader), representation FMatDense."""
        gram = GramMatrix(self._model, self._loader, layer_collection=self._collection).data
        return gram.permute(1, 0, 3, 2).reshape(2 * [gram.shape[0] * gram.shape[1]])

    def nngeometry_spectrum(self) -> Any:
        """FIM(..., PMatLowRank).compute_eigendecomposition(), its SVD."""
        low_rank = self._fim(representations.PMatLowRank)
        low_rank.compute_eigendecomposition()
        return low_rank.get_eigendecomposition()[0]

    def nngeometry_gram_spectrum(self) -> Any:
        """torch.linalg.eigvalsh of the Gram matrix of PMatLowRank's rows."""
        rows = self._fim(representations.PMatLowRank).data.flatten(0, 1)
        return torch.linalg.eigvalsh(rows @ rows.T).flip(0)

    # BackPACK --------------------------------------------------------------------------------

    @cached_property
    def _extended(self) -> tuple[nn.Module, nn.Module]:
        return extend(build(self._layers)), extend(nn.CrossEntropyLoss())

    def _backpack(self, extension: Any, name: str) -> list[Any]:
        model, loss = self._extended
        with backpack(extension):
            loss(model(self._points), self._labels).backward()
        found = [getattr(p, name) for p in model.parameters()]
        model.zero_grad()
        return found

    def backpack_diag(self) -> Any:
        """with backpack(DiagGGNExact()): loss.backward()."""
        found = self._backpack(extensions.DiagGGNExact(), "diag_ggn_exact")
        return torch.cat([a.ravel() for a in found])

    def backpack_trace(self) -> Any:
        """The sum of DiagGGNExact."""
        return self.backpack_diag().sum()

    def backpack_kfac(self) -> Any:
        """with backpack(KFLR()): loss.backward(); its input factors leave the bias out."""
        found = self._backpack(extensions.KFLR(), "kflr")
        return self._pairs([(pair[1], pair[0]) for pair in found[::2]])

    # torch.func ------------------------------------------------------------------------------

    def _predict(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return functional_call(self._model, parameters, (self._points,))

    def _split(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        pieces = vector.split([p.numel() for p in self._detached.values()])
        return {k: piece.view_as(p) for (k, p), piece in zip(self._detached.items(), pieces)}

    def _fisher(self, logits: torch.Tensor, tangent: torch.Tensor) -> torch.Tensor:
        p = torch.softmax(logits, 1)
        return p * (tangent - (p * tangent).sum(1, keepdim=True)) / len(p)

    @cached_property
    def _kept(self) -> tuple[Any, Any, Any]:
        with torch.no_grad():
            logits, push = linearize(self._predict, self._detached)
        _, pull = vjp(self._predict, self._detached)
        return logits, push, pull

    def _kept_product(self, vector: torch.Tensor) -> torch.Tensor:
        logits, push, pull = self._kept
        with torch.no_grad():
            (found,) = pull(self._fisher(logits, push(self._split(vector))), retain_graph=True)
        return torch.cat([a.ravel() for a in found.values()])

    def torch_matvec(self) -> Any:
        """torch.func.jvp, then vjp."""
        with torch.no_grad():
            tangent = self._split(self._vectors[:, 0])
            logits, moved = jvp(self._predict, (self._detached,), (tangent,))
            _, pull = vjp(self._predict, self._detached)
            (found,) = pull(self._fisher(logits, moved))
        return torch.cat([a.ravel() for a in found.values()])

    def torch_kept_matvec(self) -> Any:
        """torch.func.linearize and vjp once, kept; then their product."""
        return self._kept_product(self._vectors[:, 0])

    def torch_kept_top20(self, tol: float = 0.0) -> Any:
        """scipy eigsh with torch.func.linearize and vjp made once."""

        def product(x):
            return self._kept_product(torch.from_numpy(x.ravel())).numpy()

        p = sum(a.numel() for a in self._detached.values())
        self.__dict__.pop("_kept", None)  # to make them is part of the call
        return self._top(LinearOperator((p, p), matvec=product, dtype=np.float64), tol)

    def _one(self, parameters: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return functional_call(self._model, parameters, (x[None],))[0]

    def torch_ntk(self) -> Any:
        """vmap(jacrev) and one product J Jᵀ of the flat Jacobians."""
        jacobian = vmap(jacrev(self._one), (None, 0))(self._detached, self._points)
        flat = torch.cat([a.flatten(2) for a in jacobian.values()], 2).flatten(0, 1)
        return flat @ flat.T

    def torch_tutorial_ntk(self) -> Any:
        """As in PyTorch's tutorial: vmap(jacrev), an einsum a parameter, their sum."""
        jacobian = vmap(jacrev(self._one), (None, 0))(self._detached, self._points)
        flat = [a.flatten(2) for a in jacobian.values()]
        gram = sum(torch.einsum("Naf,Mbf->NMab", a, a) for a in flat)
        return gram.permute(0, 2, 1, 3).reshape(2 * [gram.shape[0] * gram.shape[2]])

    def torch_products_ntk(self) -> Any:
        """As in PyTorch's tutorial: NTK-vector products under vmap."""
        identity = torch.eye(self._model[-1].out_features)

        def entry(x1, x2):
            def push(v):
                _, pull = vjp(lambda q: self._one(q, x1), self._detached)
                return jvp(lambda q: self._one(q, x2), (self._detached,), pull(v))[1]

            return vmap(push)(identity)

        gram = vmap(vmap(entry, (None, 0)), (0, None))(self._points, self._points)
        return gram.permute(0, 2, 1, 3).reshape(2 * [gram.shape[0] * gram.shape[2]])

    # -----------------------------------------------------------------------------------------

    def _top(self, operator: Any, tol: float) -> Any:
        start = self._vectors[:, 0].numpy()
        return np.sort(eigsh(operator, 20, tol=tol, v0=start, return_eigenvectors=False))[::-1]

    def _pairs(self, pairs: list[Any]) -> Any:
        """Kronecker factors are fixed up to a scale: each times the trace of the other is."""
        traces = [(a.diagonal().sum(), b.diagonal().sum()) for a, b in pairs]
        inputs = [(t * a).ravel() for (a, _), (_, t) in zip(pairs, traces)]
        signals = [(t * b).ravel() for (_, b), (t, _) in zip(pairs, traces)]
        return torch.cat(inputs + signals)


peers_of = cache(Peers)


def answer(
    network: str, n: int, call: str, repeats: int, file: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Time a call; the last answer goes to a file, or many of its numbers where it is large."""
    work: Callable[..., Any] = getattr(peers_of(network, n), call)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        found = work(**options)
        times.append(time.perf_counter() - begin)
        array = np.asarray(found.detach() if isinstance(found, torch.Tensor) else found)
        del found
    if file is not None:
        np.save(file, array if array.size <= 10**7 else array.ravel()[:: array.size // 10**5])
    return {"times": times, "says": str(work.__doc__).rstrip(".")}


PACKAGES = ("torch", "nngeometry", "curvlinops-for-pytorch", "backpack-for-pytorch")

if __name__ == "__main__":
    serve((*PACKAGES, "numpy", "scipy"), {"call": answer})
