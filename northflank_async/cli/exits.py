"""How a command fails: one line that says what to do, and an exit code that a script can tell apart."""

import sys
from enum import IntEnum
from typing import NoReturn

import click

from northflank_async.errors import (
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    Conflict,
    DecodeError,
    NorthflankError,
    NotFound,
    PaginationError,
    PermissionDenied,
    TransportError,
)


class ExitCode(IntEnum):
    """What a command's exit code says. click itself exits with 2 for a wrong command line."""

    DECLINED = 1
    CONFIGURATION = 3
    ACCESS = 4
    NOT_FOUND = 5
    NO_ANSWER = 6
    BAD_ANSWER = 7
    TARGET = 8
    FAILURES = 9
    STRICT = 10
    RUN_FAILED = 11
    TIMEOUT = 12
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


def fail(message: str, exit_code: ExitCode) -> NoReturn:
    """End the command with one line on standard error."""
    click.echo(f"northflank-async: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)


def fail_request(error: NorthflankError, *, if_stopped: str, permission: str) -> NoReturn:
    """Say what to do about a request that failed, and what becomes of those that did not."""
    match error:
        case ConfigurationError():
            fail(f"{error}", ExitCode.CONFIGURATION)
        case AuthenticationError():
            fail(f"the token is not accepted: check it, and the host it is for; {if_stopped}. {error}", ExitCode.ACCESS)
        case PermissionDenied():
            fail(f"the token's role does not allow this: it needs {permission}. {error}", ExitCode.ACCESS)
        case NotFound():
            fail(f"not found, or not visible to this token: {error}", ExitCode.NOT_FOUND)
        case BadRequest() | Conflict():
            fail(f"the API refuses this as it is: {error}", ExitCode.NO_ANSWER)
        case DecodeError() | PaginationError():
            fail(f"the API's answer is not as documented: {error}", ExitCode.BAD_ANSWER)
        case TransportError():
            fail(f"check the network and the base URL, or try again later; {if_stopped}: {error}", ExitCode.NO_ANSWER)
    fail(f"the API refuses or fails; try again later; {if_stopped}: {error}", ExitCode.NO_ANSWER)


def fail_outside(error: OSError | KeyboardInterrupt) -> NoReturn:
    """End the command where its result cannot be written, or where it is interrupted when no request is under way."""
    if isinstance(error, KeyboardInterrupt):
        fail("interrupted", ExitCode.INTERRUPTED)
    if isinstance(error, BrokenPipeError):  # the reader has had enough
        sys.stderr.close()
        sys.exit(ExitCode.BROKEN_PIPE)
    fail_file("standard output", error)


def fail_file(target: str, error: OSError) -> NoReturn:
    """Say why a file or a database cannot be written."""
    fail(f"cannot write {error.filename or target}: {error.strerror or error}", ExitCode.TARGET)
