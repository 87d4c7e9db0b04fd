"""`completion`."""

import subprocess

import pytest

from tests.support.command import invoke


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed_for_each_shell(shell: str) -> None:
    result = invoke("completion", shell)
    assert result.exit_code == 0
    assert "_NORTHFLANK_ASYNC_COMPLETE" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_bash_accepts_the_script() -> None:
    script = invoke("completion", "bash").stdout
    done = subprocess.run(
        ["bash", "-ec", f"{script}\ncomplete -p northflank-async"], capture_output=True, text=True, check=True
    )
    assert "_northflank_async_completion" in done.stdout
