"""The commands for restores; waiting and aborting is tested with those for backups."""

from northflank_async.simulator import Simulator
from tests.support.command import invoke_json


def test_the_restores_of_a_global_backup_are_listed_by_its_source(northflank_simulator: Simulator) -> None:
    source = ("--sourceProjectId", "billing", "--sourceAddonId", "billing-cache")
    backup = ("--project", "checkout", "--addon", "checkout-files", "--backup", "billing-cache-20261017-210")
    assert len(invoke_json("get", "addon", "backup", "restores", *backup, *source)["restores"]) > 1
