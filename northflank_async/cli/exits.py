"""How a command fails: one line that says what to do, and an exit code that scripts can distinguish."""

import asyncio
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, NoReturn

from northflank_async.cli.output import count, notify
from northflank_async.errors import (
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    DecodeError,
    NorthflankError,
    NotFound,
    PaginationError,
    PermissionDenied,
    RunFailed,
    TransportError,
    UnknownName,
    printable,
)

if TYPE_CHECKING:  # only export and plan need an inventory
    from northflank_async.inventory import AccountOutcome, AccountPlan, Failure

_MAX_LISTED = 20
"""Failures that are listed; the others are only counted."""


class ExitCode(IntEnum):
    """A command's exit codes. click exits with 2 if the command line is wrong."""

    DECLINED = 1
    FINDINGS = 1
    CONFIGURATION = 3
    ACCESS = 4
    NOT_FOUND = 5
    NO_RESPONSE = 6
    BAD_RESPONSE = 7
    TARGET = 8
    FAILURES = 9
    STRICT = 10
    RUN_FAILED = 11
    TIMEOUT = 12
    DEADLINE = 13
    UNPROVEN = 14
    LEFT_BEHIND = 15
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


def fail(message: str, exit_code: ExitCode) -> NoReturn:
    """End the command with one line on standard error."""
    notify(" ".join(message.split()))
    sys.exit(exit_code)


def fail_request(error: NorthflankError, *, state: str, permission: str) -> NoReturn:
    """End the command after a failed request.

    Args:
        error: the failure.
        state: what the failure leaves behind.
        permission: the permission that the request needed.
    """
    match error:
        case UnknownName():
            fail(f"{error}", ExitCode.NOT_FOUND)
        case ConfigurationError():
            fail(f"{error}", ExitCode.CONFIGURATION)
        case RunFailed():
            fail(f"{error}", ExitCode.RUN_FAILED)
        case AuthenticationError():
            fail(f"the token was rejected: check it, and the host it belongs to; {state}. {error}", ExitCode.ACCESS)
        case PermissionDenied():
            fail(f"the token's role does not allow this: it needs {permission}. {error}", ExitCode.ACCESS)
        case NotFound():
            fail(f"not found, or not visible to this token: {error}", ExitCode.NOT_FOUND)
        case BadRequest() | Conflict():
            fail(f"the API rejected the request: {error}", ExitCode.NO_RESPONSE)
        case DecodeError() | PaginationError():
            fail(f"the API's response is not as documented: {error}", ExitCode.BAD_RESPONSE)
        case DeadlineExceeded():
            fail(f"the deadline has passed; {state}: {error}", ExitCode.DEADLINE)
        case NorthflankError(changed=None | True):  # to retry might do it twice
            fail(f"{state}: {error}", ExitCode.NO_RESPONSE)
        case TransportError():
            fail(f"check the network and the base URL, or retry later; {state}: {error}", ExitCode.NO_RESPONSE)
    fail(f"the API refused or failed: retry later; {state}: {error}", ExitCode.NO_RESPONSE)


def fail_outside_request(error: BaseException) -> NoReturn:
    """End the command if its options or its output fail, or if it is interrupted while no request is in flight."""
    match error:
        case ConfigurationError():
            fail(f"{error}", ExitCode.CONFIGURATION)
        case KeyboardInterrupt():
            fail("interrupted", ExitCode.INTERRUPTED)
        case asyncio.CancelledError():
            fail("terminated", ExitCode.TERMINATED)
        case BrokenPipeError():  # the reader wants no more: nothing to report
            sys.stderr.close()
            sys.exit(ExitCode.BROKEN_PIPE)
        case OSError():
            fail_target("standard output", error)
    raise error


def fail_target(target: str, error: OSError, *, access: str = "write") -> NoReturn:
    """End the command if a file or a database cannot be written, read or used."""
    fail(f"cannot {access} {error.filename or target}: {error.strerror or error}", ExitCode.TARGET)


def fail_incomplete(failures: Sequence[str], exit_code: ExitCode, consequence: str) -> None:
    """End the command with a list of what failed; without failures, do nothing.

    Args:
        failures: a line for each. See `describe_failure` and `describe_failures`.
        exit_code: the exit code.
        consequence: what is complete anyway, or what to do.
    """
    if not failures:
        return
    list_failures(failures)
    listed = f", {_MAX_LISTED} of them listed above" if len(failures) > _MAX_LISTED else ""
    fail(f"{count(len(failures), 'failure')}{listed}; {consequence}", exit_code)


def list_failures(failures: Sequence[str]) -> None:
    """List the first failures on standard error."""
    for line in failures[:_MAX_LISTED]:
        notify(line)


def describe_failures(accounts: Sequence["AccountOutcome | AccountPlan"]) -> list[str]:
    """Describe what could not be read; of several accounts, each line begins with the account's name."""
    return [
        f"{_label(account) if len(accounts) > 1 else ''}{describe_failure(failure)}"
        for account in accounts
        for failure in account.failures
    ]


def describe_failure(failure: "Failure", *, verb: str = "read") -> str:
    """Describe a failure. `verb` is what could not be done with an item."""
    return f"could not {verb} {failure}" if failure.item_id else f"could not read all of {failure}"


def _label(account: "AccountOutcome | AccountPlan") -> str:
    name = account.name or account.account_id
    return f"{printable(name)}: " if name else ""
