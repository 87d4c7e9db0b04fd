"""Compressed files."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from northflank_async import ConfigurationError
from northflank_async.inventory.formats import ENDINGS, find_ending, load_format
from northflank_async.inventory.store.stored_backup import StoredRow
from tests.support.stored_rows import make_backup, make_restore, make_unlisted, write_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.decompress, "zst": zstd.decompress}
ROWS = [make_backup(f"b{number}", name=f"nightly {number % 7}") for number in range(3000)]


@pytest.mark.parametrize("compression", DECOMPRESS)
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_compressed_file_contains_the_same_bytes(tmp_path: Path, ending: str, compression: str) -> None:
    plain, out = tmp_path / f"out.{ending}", tmp_path / f"out.{ending}.{compression}"
    assert write_file(plain, ROWS) == write_file(out, ROWS) == 3000
    assert DECOMPRESS[compression](out.read_bytes()) == plain.read_bytes()
    assert out.stat().st_size < plain.stat().st_size / 5
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((plain.name, out.name))


@pytest.mark.parametrize("compression", DECOMPRESS)
def test_equal_content_is_equal_bytes_whatever_the_name_and_the_time(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / f"one.csv.{compression}", ROWS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_file(tmp_path / f"two.csv.{compression}", ROWS)
    assert (tmp_path / f"one.csv.{compression}").read_bytes() == (tmp_path / f"two.csv.{compression}").read_bytes()


@pytest.mark.parametrize("compression", DECOMPRESS)
def test_an_empty_result_is_a_valid_compressed_file(tmp_path: Path, compression: str) -> None:
    out = tmp_path / f"out.jsonl.{compression}"
    write_file(out, [])
    assert DECOMPRESS[compression](out.read_bytes()) == b""


@pytest.mark.parametrize("compression", DECOMPRESS)
def test_a_failed_compressed_write_leaves_the_old_file(tmp_path: Path, compression: str) -> None:
    out = tmp_path / f"out.csv.{compression}"
    out.write_bytes(b"old")

    def refuse(_: str) -> None:
        raise OSError(28, "No space left on device")

    rows: list[StoredRow] = [*ROWS, make_unlisted(make_restore("r"))]
    with pytest.raises(OSError, match="No space left"):
        write_file(out, rows, restores=True, on_unwritten=refuse)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(out.name, b"old")]


def test_a_damaged_zstd_file_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl.zst"
    write_file(out, ROWS)
    damaged = bytearray(out.read_bytes())
    damaged[-1] ^= 1
    with pytest.raises(zstd.ZstdError):
        zstd.decompress(bytes(damaged))


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("x.jsonl", ".jsonl"),
        ("x.JSONL.GZ", ".jsonl.gz"),
        ("a.b.csv.zst", ".csv.zst"),
        ("x.csv.parquet", ".parquet"),
        *(
            (name, None)
            for name in ("x.gz", "x.parquet.gz", "x.jsonl.gz.gz", "x.jsonl.bz2", ".jsonl", ".csv.gz", "csv")
        ),
    ],
)
def test_the_ending_of_the_name_selects_format_and_compression(name: str, ending: str | None) -> None:
    assert find_ending(Path("folder.csv") / name) == ending
    if ending is None:
        with pytest.raises(ConfigurationError, match=f"must end with {', '.join(ENDINGS)}, not '{name}'"):
            load_format(Path(name))


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python contains zstd")
def test_a_missing_zstd_package_is_reported_with_the_extra_to_install() -> None:
    for missing in ("backports", "backports.zstd"):
        program = (
            f"import sys; sys.modules[{missing!r}] = None\n"
            "from northflank_async.inventory.formats import load_format; from pathlib import Path\n"
            "load_format(Path('x.csv.gz'))\n"
            "try: load_format(Path('x.csv.zst'))\n"
            "except Exception as error: print(repr(error))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert "pip install 'northflank-async[zstd]'" in done.stdout
