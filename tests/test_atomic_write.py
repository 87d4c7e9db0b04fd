"""Atomic writes: the file appears complete or not at all, and only its owner reads it before that."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from northflank_async.atomic_write import atomic_write, create_private, discard_parts


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o027, 0o077, 0o000], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix == ".part"]


@pytest.mark.parametrize("existing", [None, 0o600, 0o640, 0o644, 0o666, 0o400])
def test_only_the_owner_reads_a_file_that_is_not_complete(tmp_path: Path, umask: int, existing: int | None) -> None:
    target = tmp_path / "secret"
    if existing is not None:
        target.write_text("older")
        target.chmod(existing)
    with atomic_write(target) as file:
        (part,) = parts(tmp_path)
        assert mode(part) == 0o600 & ~umask
        file.write(b"content")
        file.flush()
        assert mode(part) == 0o600 & ~umask
    assert mode(target) == (0o666 & ~umask if existing is None else existing)
    assert target.read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_mode_is_private_from_the_first_moment_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a file in time keeps reading it, whatever its mode becomes."""
    modes: list[int] = []
    opened = os.open

    def watch(path: str, flags: int, *rest: int, **options: Any) -> int:
        descriptor = opened(path, flags, *rest, **options)
        if flags & os.O_RDWR:
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", watch)
    with atomic_write(tmp_path / "secret"):
        pass
    assert modes == [0o600]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_text("older")
    target.chmod(0o600)

    def fail() -> None:
        with atomic_write(target) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (target.read_text(), mode(target)) == ("older", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_private_file_is_a_new_one(tmp_path: Path) -> None:
    with create_private(tmp_path / "state") as file:
        file.write(b"content")
    assert mode(tmp_path / "state") == 0o600
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "state")


def test_parts_of_killed_processes_are_discarded(tmp_path: Path) -> None:
    (tmp_path / ".secret.12345678.part").touch()
    (tmp_path / ".other.12345678.part").touch()
    discard_parts(tmp_path / "secret")
    assert [path.name for path in tmp_path.iterdir()] == [".other.12345678.part"]


def test_replacing_a_file_keeps_its_mode_and_follows_a_symlink(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
