"""Files are written whole or not at all, and a place that cannot be written is named."""

import os
import stat

import pytest

import geomnet as gn
from geomnet.utils.files import write_whole


def test_the_file_holds_what_was_written(tmp_path):
    path = tmp_path / "result.bin"
    returned = write_whole(str(path), lambda file: file.write(b"whole"))
    assert returned == path
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["result.bin"]


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "result.bin"
    path.write_bytes(b"an older and longer result")
    write_whole(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("older", [None, b"older"])
def test_nothing_half_written_is_left(tmp_path, error, older):
    path = tmp_path / "result.bin"
    if older is not None:
        path.write_bytes(older)

    def fail(file):
        file.write(b"half of")
        file.flush()
        raise error("stopped")

    with pytest.raises(error, match="stopped"):
        write_whole(path, fail)
    assert os.listdir(tmp_path) == ([] if older is None else ["result.bin"])
    if older is not None:
        assert path.read_bytes() == older


def test_the_older_file_is_whole_while_the_new_one_is_written(tmp_path):
    path = tmp_path / "result.bin"
    path.write_bytes(b"older")
    seen = []

    def write(file):
        file.write(b"ne")
        file.flush()
        seen.append(path.read_bytes())
        file.write(b"w")

    write_whole(path, write)
    assert seen == [b"older"]
    assert path.read_bytes() == b"new"


def test_a_full_disk_is_an_error_of_the_argument(tmp_path):
    def fail(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(gn.InputError, match=r"^output: .*result\.bin.*No space left"):
        write_whole(tmp_path / "result.bin", fail, name="output")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(gn.InputError, match=r"^path: .*missing"):
        write_whole(tmp_path / "missing" / "result.bin", lambda file: file.write(b"x"))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(gn.InputError, match=r"^report: .*result\.bin"):
        write_whole(tmp_path / "file" / "result.bin", lambda file: None, name="report")
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_folder_in_the_place_of_the_file_is_kept(tmp_path):
    (tmp_path / "result").mkdir()
    with pytest.raises(gn.InputError, match=r"^path: "):
        write_whole(tmp_path / "result", lambda file: file.write(b"x"))
    assert os.listdir(tmp_path) == ["result"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    write_whole(tmp_path / "ours", lambda file: None)
    (tmp_path / "plain").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")]
    assert modes[0] == modes[1]
