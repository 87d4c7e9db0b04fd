"""JSON and text in files and databases."""

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async.inventory.encoding import _encode_deep, dump, storable, storable_json
from tests.support.postgresql import PostgreSQL

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
    | st.sampled_from(["\0", "\ud800", "a\0b\udfff", r"\u0000", "é", "😀", '"', "\\"])
)
values = st.recursive(
    leaves,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(st.characters()), children, max_size=4),
    max_leaves=20,
)
ODD = {"\0": ["a\0", r"\u0000", {"\ud800": "\udfff"}], "id": "nul \0 half \ud800 whole 😀", "size": 2**70}


def nested(depth: int, is_object: bool = False) -> Any:
    """JSON of so many levels."""
    value: Any = 1
    for _ in range(depth):
        value = {"é": value} if is_object else [value]
    return value


@given(values)
def test_json_is_the_same_with_and_without_recursion(value: Any) -> None:
    assert _encode_deep(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(values)
def test_json_is_read_as_it_was(value: Any) -> None:
    assert json.loads(dump(value)) == value
    dump(value).encode()


@pytest.mark.parametrize("is_object", [False, True])
@pytest.mark.parametrize("depth", [254, 255, 990, 1_000, 1_024, 5_000, 100_000])
def test_json_of_any_depth_is_written(depth: int, is_object: bool) -> None:
    start, end = ('{"é":', "}") if is_object else ("[", "]")
    assert dump(nested(depth, is_object)) == start * depth + "1" + end * depth


def test_deep_json_may_hold_what_utf_8_cannot_encode() -> None:
    value = [nested(2_000), "\ud800", {"a": [2**70, None, True, 0.5], "b": {}, "c": []}]
    assert dump(value) == "[" * 2001 + "1" + "]" * 2000 + f',"\\ud800",{{"a":[{2**70},null,true,0.5],"b":{{}},"c":[]}}]'


def replaced(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list():
            return [replaced(item) for item in value]
        case dict():
            return {storable(name): replaced(item) for name, item in value.items()}
    return value


@given(values)
def test_stored_json_holds_the_same_text_as_columns_do(value: Any) -> None:
    text = storable_json(value)
    text.encode()
    assert json.loads(text) == replaced(value)


def test_an_escaped_backslash_is_not_a_nul() -> None:
    assert json.loads(storable_json([r"\u0000", "\\"])) == [r"\u0000", "\\"]


@pytest.mark.parametrize("is_object", [False, True])
@pytest.mark.parametrize("depth", [99, 100, 101, 254, 255, 1_000, 1_024, 5_000, 100_000])
def test_stored_json_is_never_too_deep_for_a_database(depth: int, is_object: bool) -> None:
    text = storable_json(nested(depth, is_object))
    value = json.loads(text)
    for _ in range(min(depth, 100)):
        value = value["é"] if is_object else value[0]
    if depth > 100:
        assert value == dump(nested(depth - 100, is_object))
    else:
        assert value == 1


def rows() -> list[Any]:
    """Items that were hard to store."""
    return [
        {"x": "plain"},
        {"x": "a\0b", "odd": ODD},
        {"x": "\ud800"},
        {"x": r"\u0000"},
        {"x": "deep", "config": nested(1_000)},
        {"x": "deeper", "config": nested(100_000, is_object=True), "nul": "\0"},
        {"x": "large", "size": 2**70, "ratio": 1e300},
    ]


EXPECTED = ["plain", r"a\x00b", r"\ud800", r"\u0000", "deep", "deeper", "large"]


def test_sqlite_reads_every_row() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE backups (number INTEGER, data JSON)")
        values = [(number, storable_json(row)) for number, row in enumerate(rows())]
        connection.executemany("INSERT INTO backups VALUES (?, ?)", values)
        query = "SELECT json_extract(data, '$.x'), json_valid(data) FROM backups ORDER BY number"
        assert connection.execute(query).fetchall() == [(text, 1) for text in EXPECTED]
    connection.close()


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_postgresql_reads_every_row(postgresql: PostgreSQL, kind: str) -> None:
    database = f"encoding_{kind}"
    postgresql.create(database)
    postgresql.query(database, f"CREATE TABLE backups (number integer, data {kind})")
    for number, row in enumerate(rows()):
        text = storable_json(row).replace("'", "''")
        postgresql.query(database, f"INSERT INTO backups VALUES ({number}, '{text}')")
    assert postgresql.query(database, "SELECT data->>'x' FROM backups ORDER BY number") == EXPECTED
    assert postgresql.query(database, "SELECT data->'odd'->'\\x00'->>0 FROM backups WHERE number = 1") == [r"a\x00"]
