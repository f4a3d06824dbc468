"""Bad arguments are refused by name; good ones come back as float64, int and float."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import geomnet as gn
from geomnet.utils.validation import check_array, check_choice, check_integer, check_positive


@pytest.mark.parametrize(
    "value",
    [[1, 2, 3], np.array([1, 2, 3], dtype=np.int8), [True, False, True], np.float32([1, 2, 3])],
    ids=["list", "int8", "bool", "float32"],
)
def test_numbers_become_float64_of_the_same_value(value):
    array = check_array("x", value, shape=(3,))
    assert array.dtype == np.float64
    assert array.tolist() == [float(v) for v in value]


def test_float64_is_not_copied():
    array = np.zeros((2, 3))
    assert check_array("x", array) is array


@pytest.mark.parametrize(
    "value",
    [
        [1.0, np.nan],
        [1.0, np.inf],
        [1.0, -np.inf],
        [1.0, 1j],
        ["1", "2"],
        [1.0, None],
        np.array([1.0, 2.0], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        [[1.0, 2.0], [3.0]],
    ],
    ids=["nan", "inf", "-inf", "complex", "text", "none", "object", "dates", "ragged"],
)
def test_what_is_no_array_of_real_numbers_is_refused_by_name(value):
    with pytest.raises(gn.InputError, match=r"^mass: "):
        check_array("mass", value)


def test_boxes_of_autograd_are_refused():
    def through_a_list(x):
        return anp.sum(check_array("x", [x[0], x[1]]))

    with pytest.raises(gn.InputError, match=r"^x: "):
        autograd.grad(through_a_list)(np.ones(2))


@pytest.mark.parametrize(
    "shape", [(2,), (3, 2), (2, 2), (2, 3, 1), (None,), (None, None, None), ()]
)
def test_another_shape_is_refused(shape):
    with pytest.raises(gn.InputError, match=r"^x: .*\(2, 3\)"):
        check_array("x", np.zeros((2, 3)), shape=shape)


@pytest.mark.parametrize("shape", [(2, 3), (None, 3), (2, None), (None, None)])
def test_none_stands_for_any_length(shape):
    assert check_array("x", np.zeros((2, 3)), shape=shape).shape == (2, 3)


@pytest.mark.parametrize("ndim", [0, 1, 3])
def test_another_number_of_axes_is_refused(ndim):
    with pytest.raises(gn.InputError, match=rf"^x: expected {ndim} axes"):
        check_array("x", np.zeros((2, 3)), ndim=ndim)


def test_the_message_counts_bad_entries():
    with pytest.raises(gn.InputError, match="2 of its 4 entries"):
        check_array("x", [1.0, np.nan, np.inf, 0.0])


@pytest.mark.parametrize("value", [4, np.int64(4), np.uint8(4)])
def test_integers_become_int(value):
    number = check_integer("n", value, least=4, multiple_of=2)
    assert type(number) is int
    assert number == 4


@pytest.mark.parametrize("value", [3, 0, -4, 6, 4.0, "4", True, np.True_, None, np.nan, [4]])
def test_other_integers_are_refused(value):
    with pytest.raises(gn.InputError, match=r"^n: "):
        check_integer("n", value, least=4, multiple_of=4)


def test_true_is_no_integer():
    with pytest.raises(gn.InputError, match=r"^n: "):
        check_integer("n", True, least=0)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2)])
def test_positive_numbers_become_float(value):
    number = check_positive("x", value)
    assert type(number) is float
    assert number == 2.0


@pytest.mark.parametrize(
    "value", [0, -1.0, np.nan, np.inf, -np.inf, "2", "two", None, [1.0, 2.0], 1j]
)
def test_what_is_not_positive_is_refused(value):
    with pytest.raises(gn.InputError, match=r"^x: "):
        check_positive("x", value)


def test_zero_passes_only_where_asked():
    assert check_positive("x", 0, zero=True) == 0.0
    with pytest.raises(gn.InputError, match="at least zero"):
        check_positive("x", -1e-300, zero=True)


def test_choices():
    assert check_choice("method", "adam", ("adam", "lbfgs")) == "adam"
    with pytest.raises(gn.InputError, match=r"^method: .*'sgd'.*adam, lbfgs"):
        check_choice("method", "sgd", ("adam", "lbfgs"))


def test_errors_are_what_python_users_catch():
    assert issubclass(gn.InputError, (gn.errors.GeomnetError, ValueError))
    assert issubclass(gn.InputError, ValueError)
    assert issubclass(gn.errors.DomainError, gn.InputError)
    assert issubclass(gn.errors.SingularKernelError, gn.errors.DomainError)
    assert issubclass(gn.ConvergenceError, gn.errors.GeomnetError)
    assert issubclass(gn.ConvergenceError, RuntimeError)
    assert not issubclass(gn.ConvergenceError, ValueError)


def test_errors_carry_what_was_computed():
    reached = object()
    assert gn.ConvergenceError("stopped", reached).result is reached
    assert gn.errors.SingularKernelError("singular", condition=1e20).condition == 1e20
    assert gn.errors.SingularKernelError("singular").condition == np.inf
