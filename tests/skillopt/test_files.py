"""Files are written whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from skillopt.errors import StorageError
from skillopt.store.files import make_private_dir, write_atomic


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("wanted", [0o600, 0o644, 0o755])
def test_write(tmp_path: Path, wanted: int) -> None:
    path = tmp_path / "a"
    for data in (b"", b"one\r\n", b"\x00" * 100_000):
        write_atomic(path, data, wanted)
        assert path.read_bytes() == data
    assert mode(path) == wanted
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_private_unless_told(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"x")
    assert mode(tmp_path / "a") == 0o600


def test_a_long_name(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("n" * 250), b"x")
    assert (tmp_path / ("n" * 250)).read_bytes() == b"x"


def test_failure_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").touch()
    with pytest.raises(StorageError, match="cannot write"):
        write_atomic(tmp_path / "a", b"x")
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["a", "kept"]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        write_atomic(tmp_path / "no" / "a", b"x")
    assert caught.value.why
    assert caught.value.next


def test_a_killed_writer_leaves_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"0" * 300_000)
    writer = (
        "import itertools, sys; from pathlib import Path; from skillopt.store.files import write_atomic\n"
        "for i in itertools.count(): write_atomic(Path(sys.argv[1]), str(i % 10).encode() * 300_000)\n"
    )
    for delay in (0.25, 0.3, 0.35):
        process = subprocess.Popen([sys.executable, "-c", writer, str(path)])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1


def test_private_dir(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b"
    make_private_dir(path)
    make_private_dir(path)
    assert [mode(tmp_path), mode(tmp_path / "a"), mode(path)] == [0o755, 0o700, 0o700]


def test_an_open_dir_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    make_private_dir(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(0o644)
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(StorageError, match="cannot make"):
            make_private_dir(path)
    assert mode(tmp_path / "a") == 0o644
