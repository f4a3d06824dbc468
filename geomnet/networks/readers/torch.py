"""Trained networks of PyTorch, as arrays.

The code of a module's ``forward`` cannot be read, so it is run: a copy in float64 tells what goes
into every linear layer and what comes out, and ``recording.explain`` what lies between. First each
layer's output is replaced by random numbers: they tell activations apart that agree on the values a
layer happens to have (a ReLU of units always positive, a residual branch that starts at zero). Then
the copy runs untouched on other points, and what was read must compute the same.

Nothing here imports PyTorch before a module is given.
"""

from __future__ import annotations

from copy import deepcopy
from importlib import import_module
from typing import Any

import numpy as np

from ...errors import InputError
from ...utils.arrays import Array
from ...utils.validation import check_array
from .sklearn import Reading
from .tracing import (
    OTHERWISE,
    AffineCall,
    Unexplained,
    check_calls,
    explain,
    probe,
)

__all__ = ["read_torch"]

READABLE = (
    *("Linear", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU", "Identity", "Flatten", "Unflatten"),
    *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
    *("Sequential", "Softmax", "LogSoftmax"),  # of the last two the error says what to do
)
"""Modules of torch.nn whose numbers are looked at; its others are refused by name."""


def read_torch(module: Any, example: Any = None) -> Reading:
    r"""Read a feed-forward or residual network of linear layers.

    Read are ``nn.Sequential``, nested or not, and modules of any code, whose states obey

    .. math:: h_{l+1} = σ_l(W_lh_l + b_l) \quad\text{or}\quad
              h_{l+1} = h_k + s\,σ_l(W_lh_l + b_l), \qquad k ≤ l,

    with σ one of Tanh, ReLU, GELU (exact, or by tanh), Sigmoid, SiLU and Identity, as modules or as
    functions: ``x + s*tanh(fc(x))`` is one layer with a skip, ``x + fc2(act(fc1(x)))`` are two, the
    second linear with a skip from two states back. Flatten passes through, and so does Dropout,
    which is read as it is in evaluation: it does nothing.

    A module that ends in a Sigmoid returns probabilities, and so does the network read:
    ``gn.Bernoulli`` needs the logits, so take the Sigmoid off first. Softmax and
    LogSoftmax are refused. A weight that is computed from others (a parametrization) is
    read as the matrix that it is.

    Parameters
    ----------
    module : torch.nn.Module
        Of any floating-point type, on any device. A copy is taken to float64, the CPU and
        evaluation: the module itself, its gradients, its hooks and torch's random state stay as
        they are. Hooks on it are not run: what they change in the outputs is not read.
    example : array_like or torch.Tensor, shape (n, ...), optional
        A batch of inputs, of which the shape alone is used; the network takes them flattened, one
        row each. Needed where the inputs are no vectors of the first layer's length, as images.

    Returns
    -------
    weights : list of ndarray, each (out, in)
        In float64, to which every floating-point type converts exactly.
    biases : list of ndarray (out,) or None
    activations : list of str
    skips : dict of int to (int, float)
        ``{l: (k, s)}``. A scale s that the module learns is a constant here, no parameter.

    Raises
    ------
    InputError
        Naming the layer that cannot be read, by its name in the module and its class: one that is
        neither linear nor an activation above, one used more than once or sharing its weight,
        one whose state nothing explains; and where the reading does not compute what the module
        does, to a relative 1e-10.

    Examples
    --------
    >>> read_torch("mlp.pt")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geomnet.errors.InputError: module: expected a torch.nn.Module, got 'mlp.pt'; ...
    """
    torch = _torch(module)
    original, copy = _copy(torch, module)
    names = {part: name or "the module itself" for name, part in copy.named_modules()}
    shape = _input_shape(torch, copy, example)
    first, second = probe(shape, rng := np.random.default_rng(0)), probe(shape, rng)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        injected = _Run(torch, copy, names, rng)
        output = injected(first)
        _refuse_sharing(dict(zip(copy.modules(), original.modules())), injected)
        try:
            activations, skips = explain(_rows(first), injected.calls, output)
        except Unexplained as error:
            ran = injected.ran_before(error.layer)
            there = f" (there ran {', '.join(ran)})" if ran else ""
            raise InputError(f"{error}{there}") from None
        plain = _Run(torch, copy, names, None)
        output = plain(second)
    if [call.name for call in plain.calls] != [call.name for call in injected.calls]:
        raise InputError(
            "module: which layers it runs depends on its input; geomnet reads networks of fixed "
            f"layers; {OTHERWISE}"
        )
    check_calls(_rows(second), plain.calls, output, activations, skips)
    weights = [call.weight for call in plain.calls]
    return weights, [call.bias for call in plain.calls], activations, skips


def _torch(module: Any) -> Any:
    """PyTorch, if the object is one of its modules."""
    got = f"the class {module.__name__}" if isinstance(module, type) else repr(module)
    got = got if len(got) < 80 else f"a {type(module).__name__}"
    wrong = f"module: expected a torch.nn.Module, got {got}; "
    try:
        torch = import_module("torch")
    except ImportError:
        raise InputError(
            f"{wrong}PyTorch is not installed here: pip install 'geomnet[torch]', and load the "
            "module with it"
        ) from None
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"{wrong}of a saved state_dict, build the module, load_state_dict, and give the module"
        )
    return torch


def _copy(torch: Any, module: Any) -> tuple[Any, Any]:
    """The module without its compiler, and a copy in float64 on the CPU that evaluates."""
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    try:
        copy = deepcopy(module).to(device="cpu", dtype=torch.float64).eval()
    except Exception as error:
        raise InputError(
            f"module: it cannot be copied to the CPU in float64 ({_first_line(error)}); run lazy "
            "layers once, remove old-style weight norms and pruning (torch.nn.utils."
            "remove_weight_norm, prune.remove), and load parameters that are on no device"
        ) from error
    for part in copy.modules():
        for hooks in ("_forward_hooks", "_forward_pre_hooks"):
            getattr(part, hooks).clear()
    return module, copy


def _input_shape(torch: Any, copy: Any, example: Any) -> tuple[int, ...]:
    """Shape of one input."""
    if example is None:
        for part in copy.modules():
            if isinstance(part, torch.nn.Linear):
                return (part.in_features,)
        kinds = sorted({type(p).__name__ for p in copy.modules() if not [*p.children()]})
        raise InputError(
            f"module: it has no torch.nn.Linear, only {', '.join(kinds)}; geomnet reads networks "
            f"of linear layers; {OTHERWISE}"
        )
    shape = tuple(getattr(example, "shape", None) or np.shape(example))
    if len(shape) < 2 or 0 in shape[1:]:
        raise InputError(
            f"example: expected a batch of inputs, shape (n, ...), got shape {shape}; for one "
            "input, give example[None]"
        )
    return tuple(int(size) for size in shape[1:])


class _Run:
    """One pass of a copy, with its linear layers recorded, their outputs perhaps replaced.

    Parameters
    ----------
    rng : Generator or None
        Draws what replaces the outputs; None leaves them.
    """

    def __init__(self, torch: Any, copy: Any, names: dict[Any, str], rng: Any) -> None:
        self.torch, self.copy, self.names, self.rng = torch, copy, names, rng
        self.calls: list[AffineCall] = []
        self.parts: list[Any] = []
        """The linear layers, in the order of their calls."""
        self.others: list[tuple[int, str]] = []
        """What else ran, with the number of calls before it."""
        self.open: list[Any] = []
        """What is running."""

    def __call__(self, points: Array) -> Array:
        """Record a pass and return its outputs, (n, C)."""
        self.n, handles = len(points), []
        for part in self.copy.modules():
            handles += [
                part.register_forward_pre_hook(self._enter),
                part.register_forward_hook(self._leave),
            ]
        try:
            output = self.copy(self.torch.from_numpy(points))
        except InputError:
            raise
        except Exception as error:
            where = self._title(self.open[-1]) if self.open else "the module"
            raise InputError(
                f"module: {where} failed on inputs of shape {points.shape} in float64: "
                f"{_first_line(error)}; if the shape is wrong, pass a batch of inputs as `example`"
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        if not self.calls:
            raise InputError(f"module: its forward calls no torch.nn.Linear; {OTHERWISE}")
        if not isinstance(output, self.torch.Tensor) or output.shape[:1] != (len(points),):
            got = (
                f"a tensor of shape {tuple(output.shape)}"
                if isinstance(output, self.torch.Tensor)
                else f"a {type(output).__name__}"
            )
            raise InputError(
                f"module: on a batch of {len(points)} inputs it returns {got}; wrap it in a module "
                "that returns one tensor, a row per input"
            )
        if output.dtype != self.torch.float64:
            raise InputError(
                f"module: of float64 inputs it returns {output.dtype}, with too few digits to read "
                "it by; take the conversion off"
            )
        return self._array("the module", output)

    def ran_before(self, layer: int) -> list[str]:
        """What ran between one linear layer and the next, in words."""
        return [title for count, title in self.others if count == layer]

    def _title(self, part: Any) -> str:
        return f"layer {self.names[part]!r} ({type(part).__name__})"

    def _enter(self, part: Any, inputs: tuple[Any, ...]) -> None:
        """Refuse what cannot be read, before it runs."""
        self.open.append(part)
        kind = type(part)
        if kind.__module__.startswith("torch.nn.modules") and kind.__name__ not in READABLE:
            mend = OTHERWISE
            if "BatchNorm" in kind.__name__:
                mend = (
                    "after training it is affine: fold it into the linear layer before it "
                    "(torch.nn.utils.fusion.fuse_linear_bn_eval)"
                )
            elif "Lazy" in kind.__name__:
                mend = "it has no shape yet: call the module on data once"
            raise InputError(
                f"module: {self._title(part)} cannot be read; geomnet reads Linear, Tanh, ReLU, "
                f"GELU, Sigmoid, SiLU, Identity, Flatten, Dropout and sums with earlier states; "
                f"{mend}"
            )

    def _leave(self, part: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Record a linear layer."""
        self.open.pop()
        if not isinstance(part, self.torch.nn.Linear):
            if not any(isinstance(child, self.torch.nn.Linear) for child in part.modules()):
                self.others.append((len(self.calls), self._title(part)))
            return None
        if part in self.parts:
            raise InputError(
                f"module: {self._title(part)} is used more than once; geomnet's layers have each a "
                f"weight of their own; {OTHERWISE}"
            )
        if output.shape[:1] != (self.n,) or output.numel() != self.n * part.out_features:
            raise InputError(
                f"module: {self._title(part)} is applied along an axis of an array of shape "
                f"{tuple(inputs[0].shape)}, so its weight is shared by several positions; geomnet "
                f"reads layers of one vector per input; {OTHERWISE}"
            )
        title = self._title(part)
        if self.rng is not None:
            drawn = probe((part.out_features,), self.rng)
            output = self.torch.from_numpy(drawn).reshape(output.shape)
        bias = None if part.bias is None else self._array(title, part.bias[None])[0]
        self.parts.append(part)
        self.calls.append(
            AffineCall(
                self.names[part],
                self._array(title, part.weight),
                bias,
                self._array(title, inputs[0]),
                self._array(title, output),
            )
        )
        return output

    def _array(self, title: str, tensor: Any) -> Array:
        """A finite float64 array of one row per datum; a copy, as activations may be in place."""
        array = tensor.detach().numpy().reshape(len(tensor), -1)
        return check_array(f"module: numbers of {title}", array.copy())


def _refuse_sharing(originals: dict[Any, Any], run: _Run) -> None:
    """Refuse a parameter that two layers share: as two arrays it would vary apart."""
    homes: dict[int, Any] = {}
    for part in run.parts:
        for parameter in originals[part].parameters():  # a move between devices parts the copies
            other = homes.setdefault(id(parameter), part)
            if other is not part:
                raise InputError(
                    f"module: {run._title(part)} shares a parameter with {run._title(other)}; "
                    f"geomnet's layers have each a weight of their own; {OTHERWISE}"
                )


def _rows(points: Array) -> Array:
    """Inputs as the network takes them, one row each."""
    return points.reshape(len(points), -1)


def _first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
