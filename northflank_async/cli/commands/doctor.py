from typing import Any

import click

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.login import find_default
from northflank_async.cli.options import AccountsOptions, ApiOptions, accounts_options, report_options
from northflank_async.cli.output import count, notify, write_reports
from northflank_async.cli.permissions import allowed_commands
from northflank_async.cli.runner import run_without_client
from northflank_async.errors import AuthenticationError, printable
from northflank_async.fleet.checkup import Checkup, check_accounts
from northflank_async.inventory.identity import Visibility
from northflank_async.records import ProjectRestrictions, RestrictionMode, unstructure

_NEEDED = "export"
"""The command that each account must allow."""


@click.command()
@accounts_options
@report_options
def check(options: ApiOptions, accounts: AccountsOptions) -> None:
    """Check the token of each account.

    One request an account shows whether the token is valid, its kind, role and expiry, the commands that its
    permissions allow, its project restrictions, the requests left in this hour, and how far the local clock is off.

    The exit code is 0 only if all is well: each token is valid for 14 days or more and may export, requests are left,
    and the clocks differ by 60 seconds at most. What the API does not say is unknown, and not a problem.

    \b
    northflank-async doctor
    northflank-async doctor --accounts accounts.toml --output json
    """

    async def work() -> list[Checkup]:
        return await check_accounts(accounts.find() or [find_default()], **options.client_arguments)

    checkups = run_without_client(options, work)
    reports = [_report(checkup) for checkup in checkups]
    write_reports(reports, "checkups", options, [_row(report) for report in reports])
    for report in reports:
        for problem in report["problems"]:
            notify(f"{printable(report['account'])}: {problem}")
    if unwell := [report for report in reports if not report["ok"]]:
        fail(f"{len(unwell):,} of {count(len(reports), 'account')} with problems", _exit_code(checkups))


def _exit_code(checkups: list[Checkup]) -> ExitCode:
    errors = [checkup.error for checkup in checkups if checkup.error is not None]
    if any(isinstance(error, AuthenticationError) for error in errors):
        return ExitCode.ACCESS
    return ExitCode.NO_RESPONSE if errors else ExitCode.FAILURES


def _report(checkup: Checkup) -> dict[str, Any]:
    """Describe a checkup with the documented keys; `None` is unknown."""
    auth, limit = checkup.auth, checkup.rate_limit
    allowed = allowed_commands(auth) if auth else None
    restrictions = Visibility.of(auth).project_restrictions if auth else None
    problems = checkup.problems
    if allowed and allowed[_NEEDED] is False:
        problems.append(f"the token's permissions do not allow {_NEEDED}")
    return {
        "account": checkup.entry.name,
        "ok": not problems,
        "problems": problems,
        "tokenValid": checkup.is_token_valid,
        "tokenKind": auth and auth.token_kind,
        "accountId": auth and auth.entity_id,
        "accountType": auth and auth.entity_type,
        "role": auth.role.name if auth and auth.role else None,
        "expires": checkup.has_expiry,
        "expiresAt": auth.expires_at.isoformat() if auth and auth.expires_at else None,
        "commands": allowed,
        "projectRestrictions": unstructure(_unrestricted(restrictions)) if auth else None,
        "requestsLeft": limit and limit.remaining,
        "requestLimit": limit and limit.limit,
        "requestsResetAfter": limit and round(limit.reset_after),
        "clockSkew": None if checkup.clock_skew is None else round(checkup.clock_skew, 1),
    }


def _unrestricted(restrictions: ProjectRestrictions | None) -> ProjectRestrictions:
    return restrictions or ProjectRestrictions(enabled=False)


def _row(report: dict[str, Any]) -> dict[str, Any]:
    """Describe a report in words, for a table."""
    valid = {True: "valid", False: "rejected", None: "unknown"}[report["tokenValid"]]
    if valid != "valid":
        return {"account": report["account"], "token": valid}
    left, limit, skew = report["requestsLeft"], report["requestLimit"], report["clockSkew"]
    return {
        "account": report["account"],
        "token": valid,
        "kind": report["tokenKind"] or "unknown",
        "role": report["role"] or "unknown",
        "expires": report["expiresAt"] or ("never" if report["expires"] is False else "unknown"),
        "commands": _groups(report["commands"]),
        "projects": _projects(report["projectRestrictions"]),
        "left": "unknown" if left is None else f"{left:,}" + ("" if limit is None else f" of {limit:,}"),
        "clock": "unknown" if skew is None else f"{skew:+,.0f} s" if abs(skew) >= 1 else "exact",
    }


def _groups(commands: dict[str, bool | None]) -> str:
    """List the commands that are allowed, by their first words: `export, get (8 of 10), list`."""
    if commands[_NEEDED] is None:
        return "unknown"
    groups: dict[str, list[bool]] = {}
    for name, allowed in commands.items():
        groups.setdefault(name.split()[0], []).append(bool(allowed))
    return ", ".join(
        group if all(each) else f"{group} ({sum(each)} of {len(each)})"
        for group, each in sorted(groups.items())
        if any(each)
    )


def _projects(restrictions: dict[str, Any]) -> str:
    if restrictions.get("enabled") is False:
        return "all"
    projects = restrictions.get("projects")
    if projects is None:
        return "unknown"
    named = ", ".join(projects) or "none"
    return f"all but {named}" if restrictions.get("restrictionMode") == RestrictionMode.NOT_IN else named
