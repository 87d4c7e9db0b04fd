"""Files that appear complete or not at all."""

import stat
from pathlib import Path

from northflank_async.atomic_write import atomic_write


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
