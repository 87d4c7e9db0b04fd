"""Files as pandas, polars and DuckDB read them. They are imported by the tests: other workers need not load them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.stored_rows import (
    CREATED_AT,
    UNUSUAL_TEXTS,
    destinations,
    make_backup,
    make_restore,
    make_unlisted,
    write_file,
)

pytestmark = pytest.mark.slow

ROWS = [
    make_backup(
        f"b{number}",
        addon_id=f"a{number % 3}",
        name=text,
        status=("completed", "failed", None)[number % 3],
        created_at=CREATED_AT,
        size=2**62 + number,
        json_text=destinations("d1", "d2") if number == 1 else None,
        restores=(make_restore(f"r{number}", f"b{number}"),) if number % 2 else (),
    )
    for number, text in enumerate(UNUSUAL_TEXTS)
]
TEXT_COLUMNS = ("account_id", "team_id", "project_id", "addon_id", "addon_type", "id", "name", "uid", "status")
SIZES = [2**62 + number for number in range(len(ROWS))]


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "out.parquet"
    write_file(path, [*ROWS, make_unlisted(make_restore("lost", "b99"))], restores=True)
    return path


@pytest.fixture
def csv(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"out.{request.param}"
    write_file(path, ROWS, restores=True)
    return path


def test_pandas_reads_parquet(parquet: Path) -> None:
    import pandas as pd

    frame = pd.read_parquet(parquet)
    assert [frame[name].dtype for name in TEXT_COLUMNS] == [pd.StringDtype(na_value=float("nan"))] * len(TEXT_COLUMNS)
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"
    assert frame["status"].fillna("unknown").value_counts()["unknown"] == 1 + len(ROWS) // 3
    assert frame["team_id"].fillna("none").tolist() == ["none"] * len(ROWS) + ["acme"]
    addons = pd.DataFrame({"addon_id": ["a0", "a1", "a2"], "owner": ["x", "y", "z"]})
    assert frame.merge(addons, on="addon_id")["owner"].value_counts().sum() == len(ROWS)
    assert frame[frame["id"] == "b1"]["additional_destinations"].iloc[0][0]["destination_id"] == "d1"
    nullable = pd.read_parquet(parquet, dtype_backend="numpy_nullable")  # by default, a column with nulls is float
    assert nullable["size"].dropna().tolist() == SIZES
    assert nullable["name"].iloc[:-1].tolist() == UNUSUAL_TEXTS


def test_polars_reads_parquet(parquet: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(parquet)
    assert {frame.schema[name] for name in TEXT_COLUMNS} == {pl.String()}
    assert frame.schema["created_at"] == pl.Datetime("us", "UTC")
    assert frame.schema["size"] == pl.Int64()
    addons = pl.DataFrame({"addon_id": ["a0", "a1", "a2"], "owner": ["x", "y", "z"]})
    assert frame.join(addons, on="addon_id").height == len(ROWS)
    assert frame["name"].to_list() == [*UNUSUAL_TEXTS, None]
    restores = frame.select("id", "restores").explode("restores", empty_as_null=False).unnest("restores", separator=".")
    lost = restores.filter(pl.col("id").is_null())
    assert lost.select("restores.id", "restores.backup_id").rows() == [("lost", "b99")]


def test_duckdb_reads_parquet(parquet: Path) -> None:
    types = dict(query(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{parquet}')"))
    assert {types[name] for name in TEXT_COLUMNS} == {"VARCHAR"}
    assert (types["created_at"], types["size"]) == ("TIMESTAMP WITH TIME ZONE", "BIGINT")
    assert types["additional_destinations"] == 'STRUCT(destination_id VARCHAR, "type" VARCHAR, retention_time BIGINT)[]'
    owners = "(VALUES ('a0', 'x'), ('a1', 'y'), ('a2', 'z')) owners(addon_id, owner)"
    assert query(f"SELECT count(*) FROM '{parquet}' JOIN {owners} USING (addon_id)") == [(len(ROWS),)]
    assert query(
        f"SELECT id, r.unnest.id, r.unnest.backup_id FROM '{parquet}', unnest(restores) r WHERE id IS NULL"
    ) == [(None, "lost", "b99")]
    where = "created_at BETWEEN '2026-10-31 01:02:03.456Z' AND '2026-10-31 01:02:03.456Z'"
    assert query(f"SELECT name, size FROM '{parquet}' WHERE {where}") == list(zip(UNUSUAL_TEXTS, SIZES, strict=True))


@pytest.mark.parametrize("csv", ["csv", "csv.gz"], indirect=True)  # for Zstandard, pandas needs another package
def test_pandas_reads_csv(csv: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(csv, keep_default_na=False, parse_dates=["created_at"], dtype={"name": str})
    assert frame["name"].tolist() == UNUSUAL_TEXTS
    assert frame["size"].tolist() == SIZES
    assert frame["created_at"].iloc[0] == CREATED_AT
    assert frame["status"].tolist() == [row.status or "" for row in ROWS]


@pytest.mark.parametrize("csv", ["csv", "csv.gz", "csv.zst"], indirect=True)
def test_polars_reads_csv(csv: Path) -> None:
    import polars as pl

    frame = pl.read_csv(csv)
    assert frame["name"].to_list() == UNUSUAL_TEXTS  # an empty text is not null
    assert frame["size"].to_list() == SIZES
    assert frame["status"].to_list() == [row.status for row in ROWS]
    assert frame["created_at"].str.to_datetime()[0] == CREATED_AT


@pytest.mark.parametrize("csv", ["csv", "csv.gz", "csv.zst"], indirect=True)
def test_duckdb_reads_csv(csv: Path) -> None:
    source = f"read_csv('{csv}', allow_quoted_nulls = false)"
    assert query(f"SELECT name, size, status FROM {source}") == [
        (name, size, row.status) for name, size, row in zip(UNUSUAL_TEXTS, SIZES, ROWS, strict=True)
    ]
    assert query(f"SELECT DISTINCT created_at = '2026-10-31 01:02:03.456Z'::TIMESTAMPTZ FROM '{csv}'") == [(True,)]


def test_text_and_formulas_are_told_apart_by_every_reader(tmp_path: Path) -> None:
    import pandas as pd
    import polars as pl

    out = tmp_path / "out.csv"
    write_file(out, [make_backup(name="=1+1"), make_backup(name="-1"), make_backup(name="\rx")])
    expected = ["'=1+1", "'-1", "'\rx"]
    assert pd.read_csv(out)["name"].tolist() == expected
    assert pl.read_csv(out)["name"].to_list() == expected
    assert query(f"SELECT name FROM '{out}'") == [(name,) for name in expected]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_pandas_polars_and_duckdb_read_json_lines(tmp_path: Path, ending: str) -> None:
    import pandas as pd
    import polars as pl

    out = tmp_path / f"out.{ending}"
    write_file(out, [make_backup(json_text=json.dumps({"id": text, "size": 2**62})) for text in UNUSUAL_TEXTS])
    assert query(f"SELECT backup.id FROM '{out}'") == [(text,) for text in UNUSUAL_TEXTS]
    assert pl.read_ndjson(out)["backup"].struct["id"].to_list() == UNUSUAL_TEXTS
    if not ending.endswith("zst"):
        assert [backup["id"] for backup in pd.read_json(out, lines=True)["backup"]] == UNUSUAL_TEXTS


def query(sql: str) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()
