"""The commands for backup destinations."""

import json
from pathlib import Path
from typing import Any

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke, invoke_json

CREDENTIALS = {
    "accessKey": "AKIAIOSFODNN7EXAMPLE",
    "secretKey": "wJalrXUtnFEMI",
    "bucketName": "backups",
    "region": "us-west-2",
    "endpoint": "s3.us-west-2.amazonaws.com",
}
NEW = ("--name", "Far away", "--prefix", "northflank/")


def test_a_destination_is_added_and_listed(northflank_simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "bucket.json").write_text(json.dumps({"credentials": CREDENTIALS}))
    added = invoke_json("add", "backup-destination", *NEW, "--file", tmp_path / "bucket.json")
    assert (added["id"], added["usage"]) == ("far-away", "globalBackups")
    assert invoke_json("list", "backup-destinations")["backupDestinations"][0]["id"] == "far-away"
    assert "far-away" in invoke("list", "backup-destinations", "-o", "table").stdout


def test_a_destination_is_added_with_the_documented_body(northflank_simulator: Simulator) -> None:
    body = {"name": "Far away", "type": "s3", "usage": "globalBackups", "prefix": "p/", "credentials": CREDENTIALS}
    call = ("add", "backup-destination", "--usage", "containerSnapshots", "--team", "acme")
    assert invoke_json(*call, "--input", json.dumps(body))["usage"] == "containerSnapshots"
    assert [sent.path for sent in northflank_simulator.requests] == ["/v1/teams/acme/backup-destinations"]


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_no_output_contains_the_access_keys(northflank_simulator: Simulator, output: str) -> None:
    given = json.dumps({"credentials": CREDENTIALS})
    result = invoke("add", "backup-destination", *NEW, "--input", given, "-o", output)
    assert result.exit_code == 0
    assert "AKIA" not in result.output
    assert "wJalr" not in result.output


@pytest.mark.parametrize(
    ("options", "body", "message"),
    [
        (("--prefix", "p/"), {"credentials": CREDENTIALS}, "Missing option '--name'"),
        (("--name", "abc"), {"credentials": CREDENTIALS}, "Missing option '--prefix'"),
        (NEW, {}, "The input has no credentials."),
        (NEW, {"credentials": {**CREDENTIALS, "secretKey": 12345}}, "not as documented at credentials.secretKey"),
        (NEW, {"credentials": CREDENTIALS, "type": "gcs"}, "The type of the input must be s3."),
        (NEW, {"credentials": CREDENTIALS, "bucket": "b"}, "unknown fields: bucket"),
    ],
)
def test_an_incomplete_destination_is_rejected_before_a_request_is_sent(
    northflank_simulator: Simulator, options: tuple[str, ...], body: Any, message: str
) -> None:
    result = invoke("add", "backup-destination", *options, "--input", json.dumps(body))
    assert (result.exit_code, message in " ".join(result.stderr.split())) == (2, True)
    assert "12345" not in result.output
    assert northflank_simulator.requests == []
