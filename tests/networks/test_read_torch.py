"""Modules of PyTorch are read as they compute, untouched; what cannot be read is named."""

import copy
import warnings
from itertools import pairwise

import numpy as np
import pytest

import geomnet as gn

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

MODULES = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "logistic": nn.Sigmoid, "silu": nn.SiLU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"), "identity": nn.Identity,
}  # fmt: skip
FUNCTIONS = {
    "tanh": torch.tanh, "relu": F.relu, "gelu": F.gelu, "logistic": torch.sigmoid,
    "gelu_tanh": lambda u: F.gelu(u, approximate="tanh"), "silu": lambda u: u * torch.sigmoid(u),
    "identity": lambda u: u,
}  # fmt: skip
each_activation = pytest.mark.parametrize("name", MODULES)


class Module(nn.Module):
    """A module whose forward is a function of itself and its input."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def linear(*widths, **options):
    return [nn.Linear(a, b, **options) for a, b in pairwise(widths)]


def check_read(module, shape, *, example=None, n=40):
    """The network read of a module computes what the module does in float64."""
    network, theta = gn.FeedForward.from_torch(module, example)
    points = torch.from_numpy(2 * np.random.default_rng(5).normal(size=(n, *shape)))
    with torch.no_grad():
        expected = copy.deepcopy(module).double().eval()(points).reshape(n, -1).numpy()
    outputs = network(theta, points.reshape(n, -1).numpy())
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    return network


def zeroed(layer):
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


# -- what is read -----------------------------------------------------------------------------


@each_activation
def test_sequences_of_linear_layers_and_activations(name):
    a, b, c = linear(3, 5, 4, 2)
    module = nn.Sequential(a, MODULES[name](), nn.Sequential(b, MODULES[name]()), c)
    network = check_read(module, (3,))
    assert network.widths == (3, 5, 4, 2)
    assert network.activations == (name, name, "identity")
    assert network.skips == ()


@each_activation
def test_activations_called_as_functions(name):
    a, b = linear(3, 4, 2)
    module = Module(lambda self, x: self.b(FUNCTIONS[name](self.a(x))), a=a, b=b)
    assert check_read(module, (3,)).activations == (name, "identity")


def test_layers_without_bias_and_activations_in_place():
    a, b, c = linear(3, 5, 4, 1, bias=False)
    network = check_read(nn.Sequential(a, nn.ReLU(inplace=True), b, nn.SiLU(inplace=True), c), (3,))
    assert network.biases == (False, False, False)
    assert network.activations == ("relu", "silu", "identity")


def test_theta_is_the_parameters_of_the_module_in_order():
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    _, theta = gn.FeedForward.from_torch(module)
    flat = nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    np.testing.assert_array_equal(theta, flat.astype(np.float64))


@each_activation
@pytest.mark.parametrize("scale", [1.0, 0.1, -0.5])
def test_residual_layers(name, scale):
    a, b, c = linear(4, 4, 4, 3)

    def forward(self, x):
        x = x + scale * FUNCTIONS[name](self.a(x))
        x += scale * FUNCTIONS[name](self.b(x))
        return self.c(x)

    network = check_read(Module(forward, a=a, b=b, c=c), (4,))
    assert network.activations == (name, name, "identity")
    assert network.skips == ((0, 0, scale), (1, 1, scale))


@each_activation
def test_residual_blocks_of_two_layers(name):
    def block():
        a, b = linear(3, 6, 3)
        return Module(lambda self, x: x + self.b(FUNCTIONS[name](self.a(x))), a=a, b=b)

    network = check_read(nn.Sequential(block(), block(), nn.Linear(3, 2)), (3,))
    assert network.activations == (name, "identity") * 2 + ("identity",)
    assert network.skips == ((1, 0, 1.0), (3, 2, 1.0))


def test_a_scale_that_is_learned_is_read_as_a_number():
    (a,) = linear(3, 3)
    module = Module(lambda self, x: x + self.s * torch.tanh(self.a(x)), a=a)
    module.s = nn.Parameter(torch.tensor(0.3))
    network = check_read(module, (3,))
    assert network.skips == ((0, 0, float(np.float32(0.3))),)
    assert network.n_parameters == 12


def test_branches_that_start_at_zero_are_read():
    # the second layer of the block gives zeros, which any activation of it would too
    a, b, c = linear(3, 5, 3, 2)
    module = Module(
        lambda self, x: self.c(x + self.b(F.relu(self.a(x)))), a=a, b=zeroed(b), c=zeroed(c)
    )
    network, _ = gn.FeedForward.from_torch(module)
    assert network.activations == ("relu", "identity", "identity")
    assert network.skips == ((1, 0, 1.0),)


@pytest.mark.parametrize("name", ["relu", "identity"])
def test_units_that_never_change_sign_are_read(name):
    # behind a logistic function the second layer is positive, whatever the points
    a, b, c = linear(3, 4, 4, 2)
    nn.init.constant_(b.weight, 0.1)
    nn.init.constant_(b.bias, 1.0)
    network = check_read(nn.Sequential(a, nn.Sigmoid(), b, MODULES[name](), c), (3,))
    assert network.activations == ("logistic", name, "identity")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_floating_point_types_are_converted_exactly(dtype):
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)).to(dtype)
    _, theta = gn.FeedForward.from_torch(module)
    flat = torch.cat([p.detach().double().reshape(-1) for p in module.parameters()])
    np.testing.assert_array_equal(theta, flat.numpy())
    check_read(module, (3,))


def test_dropout_is_read_as_in_evaluation():
    a, b = linear(3, 4, 2)
    check_read(nn.Sequential(nn.Dropout(0.5), a, nn.Tanh(), nn.Dropout(0.5), b).train(), (3,))


@pytest.mark.parametrize("kind", [np.zeros, torch.zeros])
def test_images_are_read_from_the_shape_of_an_example(kind):
    a, b = linear(12, 5, 2)

    def forward(self, x):
        n, channels, height, width = x.shape
        return self.b(torch.tanh(self.a(x.view(n, channels * height * width))))

    module = Module(forward, a=a, b=b)
    with pytest.raises(gn.InputError, match=r"\(Module\) failed on inputs of shape .* `example`"):
        gn.FeedForward.from_torch(module)
    for images in (module, nn.Sequential(nn.Flatten(), a, nn.Tanh(), b)):
        assert check_read(images, (1, 3, 4), example=kind((2, 1, 3, 4))).widths == (12, 5, 2)


def test_an_output_without_its_axis_is_one_column():
    a, b = linear(3, 4, 1)
    module = Module(lambda self, x: self.b(torch.relu(self.a(x))).squeeze(-1), a=a, b=b)
    assert check_read(module, (3,)).widths == (3, 4, 1)


def test_wrapped_and_parametrised_modules():
    a, b = linear(3, 4, 2)
    module = nn.Sequential(nn.utils.parametrizations.weight_norm(a), nn.Tanh(), b)
    check_read(module, (3,))
    check_read(nn.DataParallel(module), (3,))
    network, theta = gn.FeedForward.from_torch(torch.compile(module))
    assert network.widths == (3, 4, 2)
    np.testing.assert_array_equal(theta, gn.FeedForward.from_torch(module)[1])


def test_rounding_of_a_deep_chaotic_network_is_no_difference():
    layers = [part for layer in linear(*[50] * 41) for part in (layer, nn.Tanh())]
    for layer in layers[::2]:
        nn.init.normal_(layer.weight, std=3 / 50**0.5)
    network, _ = gn.FeedForward.from_torch(nn.Sequential(*layers))
    assert network.activations == ("tanh",) * 40


# -- what is left as it was -------------------------------------------------------------------


def test_the_module_is_untouched():
    seen = []
    a, b = linear(3, 4, 2)
    module = nn.Sequential(a, nn.Dropout(0.5), nn.ReLU(inplace=True), b).train()
    b.eval()
    a.bias.requires_grad_(False)
    module(torch.ones(2, 3)).sum().backward()
    module.register_forward_hook(lambda *args: seen.append(args))
    a.register_forward_pre_hook(lambda *args: seen.append(args))

    def condition():
        return {
            "state": {k: v.clone() for k, v in module.state_dict().items()},
            "grads": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
            "wanted": [p.requires_grad for p in module.parameters()],
            "training": [part.training for part in module.modules()],
            "hooks": [
                (len(part._forward_hooks), len(part._forward_pre_hooks))
                for part in module.modules()
            ],
            "identity": [id(p) for p in module.parameters()],
            "random": torch.random.get_rng_state(),
        }

    before = condition()
    weights = gn.FeedForward.from_torch(module)[1]
    weights += 1.0
    torch.testing.assert_close(condition(), before, rtol=0, atol=0)
    assert seen == []


def test_the_module_is_untouched_by_a_refusal():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)).train()
    with pytest.raises(gn.InputError):
        gn.FeedForward.from_torch(module)
    assert module.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        nn.BatchNorm1d(4), nn.LayerNorm(4), nn.LeakyReLU(), nn.ReLU6(), nn.ELU(), nn.Softplus(),
        nn.Conv1d(4, 4, 1), nn.PReLU(), nn.Hardtanh(), nn.LazyLinear(4),
    ],
    ids=lambda part: type(part).__name__,
)  # fmt: skip
def test_other_layers_are_named(part):
    body = nn.Sequential(nn.Linear(3, 4))
    body.add_module("strange", part)
    kind = type(part).__name__
    module = Module(lambda self, x: self.head(self.body(x)), body=body, head=nn.Linear(4, 2))
    with pytest.raises(gn.InputError, match=rf"layer 'body\.strange' \({kind}\) cannot be read"):
        gn.FeedForward.from_torch(module)


def of_parts(function, *widths):
    return Module(function, **dict(zip("abc", linear(*widths))))


def tied():
    a, b = linear(3, 3, 3)
    b.weight = a.weight
    return nn.Sequential(a, nn.Tanh(), b)


class Scaled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Squares(nn.Module):
    def forward(self, x):
        return x**2


def by_turns(self, x):
    self.turn = not getattr(self, "turn", False)
    return self.a(x) if self.turn else self.b(self.a(x))


REFUSED = {
    "leaky function": (
        of_parts(lambda self, x: self.b(F.leaky_relu(self.a(x))), 3, 3, 2),
        r"the input of layer 'b' is no activation of layer 'a'.*autograd\.numpy",
    ),
    "leaky module": (
        nn.Sequential(*linear(3, 4), Squares(), *linear(4, 2)),
        r"the input of layer '2'.*there ran layer '1' \(Squares\)",
    ),
    "activation after the sum": (
        of_parts(lambda self, x: self.b(F.relu(x + self.a(x))), 3, 3, 2),
        "no activation of layer 'a'",
    ),
    "softmax": (nn.Sequential(*linear(3, 4), nn.Softmax(-1)), r"Take the softmax.*'1' \(Softmax"),
    "softmax function": (
        of_parts(lambda self, x: self.a(x).softmax(-1), 3, 4),
        "is a softmax.*returns its logits",
    ),
    "log-softmax": (
        nn.Sequential(*linear(3, 4), nn.LogSoftmax(-1)),
        "is a log-softmax.*changes no prediction",
    ),
    "used twice": (
        of_parts(lambda self, x: self.a(torch.tanh(self.a(x))), 3, 3),
        r"layer 'a' \(Linear\) is used more than once",
    ),
    "shared weight": (tied(), r"layer '2' \(Linear\) shares a parameter with layer '0'"),
    "positions": (
        nn.Sequential(*linear(3, 4)),
        "'0'.*array of shape .*64, 7, 3.*several positions",
    ),
    "positions as rows": (
        of_parts(lambda self, x: self.a(x.reshape(-1, 3)).reshape(len(x), -1), 3, 4),
        "several positions",
    ),
    "zero scale": (of_parts(lambda self, x: x + 0 * self.a(x), 3, 3), "whatever layer 'a' gives"),
    "branches": (
        of_parts(lambda self, x: self.a(x) + self.b(x[:, :3]), 3, 3, 3),
        "layer 'a' gives",
    ),
    "normalised input": (of_parts(lambda self, x: self.a(x / 255), 3, 3), "first layer 'a' is not"),
    "no plain layer": (nn.Sequential(Scaled(3, 4)), r"'0' does not compute W x \+ b"),
    "no linear layer": (nn.Sequential(nn.Conv2d(1, 2, 3)), "no torch.nn.Linear, only Conv2d"),
    "no layer called": (
        of_parts(lambda self, x: F.linear(x, self.a.weight), 3, 4),
        "forward calls no torch.nn.Linear",
    ),
    "random": (
        of_parts(lambda self, x: self.b(F.dropout(torch.tanh(self.a(x)))), 3, 3, 2),
        "no activation of layer 'a'",
    ),
    "depends on the run": (of_parts(by_turns, 3, 3, 3), "depends on its input"),
    "two outputs": (of_parts(lambda self, x: (self.a(x), x), 3, 3), "returns a tuple"),
    "one number": (of_parts(lambda self, x: self.a(x).sum(), 3, 3), r"a tensor of shape \(\)"),
    "rounded": (of_parts(lambda self, x: self.a(x).float(), 3, 3), "returns torch.float32"),
    "attention": (nn.TransformerEncoderLayer(4, 2), r"\(TransformerEncoderLayer\) cannot be read"),
    "batch norm": (nn.Sequential(*linear(3, 4), nn.BatchNorm1d(4)), "fuse_linear_bn_eval"),
    "wrong order": (of_parts(lambda self, x: self.a(self.b(x)), 4, 2, 4), "failed on inputs"),
    "no data": (nn.Sequential(nn.Linear(3, 4, device="meta")), "cannot be copied to the CPU"),
    "a dictionary": (nn.Linear(3, 3).state_dict(), "expected a torch.nn.Module.*load_state_dict"),
    "a class": (nn.Linear, "got the class Linear"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_named_with_a_mend(case):
    module, message = REFUSED[case]
    example = np.zeros((2, 7, 3)) if case.startswith("positions") else None
    with pytest.raises(gn.InputError, match=f"(?s){message}"):
        gn.FeedForward.from_torch(module, example)


def test_old_weight_norms_are_refused_with_the_mend():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.utils.weight_norm(nn.Linear(3, 2))
    with pytest.raises(gn.InputError, match="remove_weight_norm"):
        gn.FeedForward.from_torch(nn.Sequential(layer))
    check_read(nn.Sequential(nn.utils.remove_weight_norm(layer)), (3,))


def test_the_mend_for_batch_norm_mends_it():
    a, b = linear(3, 4, 2)
    norm = nn.BatchNorm1d(4)
    norm(5 + 3 * torch.randn(50, 4))
    norm.eval()
    fused = nn.utils.fusion.fuse_linear_bn_eval(a.eval(), norm)
    points = torch.randn(5, 3)
    torch.testing.assert_close(fused(points), norm(a(points)))
    check_read(nn.Sequential(fused, nn.Tanh(), b), (3,))


def test_weights_that_are_not_finite_are_named():
    module = nn.Sequential(*linear(3, 2))
    nn.init.constant_(module[0].weight, float("nan"))
    with pytest.raises(gn.InputError, match=r"layer '0' \(Linear\): 6 of its 6 entries are NaN"):
        gn.FeedForward.from_torch(module)


@pytest.mark.parametrize("shape", [(3,), (), (2, 0)])
def test_an_example_is_a_batch(shape):
    with pytest.raises(gn.InputError, match=r"example: expected a batch .* example\[None\]"):
        gn.FeedForward.from_torch(nn.Linear(3, 2), np.zeros(shape))
