"""The report of an audit: attrs records that every output is rendered from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from northflank_async.audit import fixes
from northflank_async.audit.history import History, read_history
from northflank_async.audit.policy import RULES, Place, Policy, Severity, Waiver
from northflank_async.audit.rules import Case, Verdict, expected_interval, format_time, is_skipped, judge
from northflank_async.inventory.facts import AccountFacts, AddonFacts, UnreadPlace

if TYPE_CHECKING:  # it needs the extra `sql`
    from northflank_async.inventory.inventory import Inventory

_RULE_ORDER = {rule: index for index, rule in enumerate(RULES)}


class FindingStatus(StrEnum):
    """Whether a finding counts. `unknown`: its rule could not be evaluated."""

    OPEN = "open"
    WAIVED = "waived"
    UNKNOWN = "unknown"


class AddonState(StrEnum):
    """The verdict on an addon as a whole. A waived finding does not change it."""

    HEALTHY = "healthy"
    WARN = "warn"
    CRITICAL = "critical"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class Finding:
    """What is wrong, or could not be checked.

    Args:
        rule: the rule's name.
        severity: of a rule that could not be evaluated, the highest it can have.
        status: whether it counts.
        account_id, team_id, project_id, addon_id: the place; an addon of `None` means the whole project or account.
        message: a sentence without a full stop.
        evidence: the times, sizes and counts it follows from.
        since: when it was true first; `None` if the data cannot show it.
        fix: the command that fixes it, or shows how; `None` if there is none.
        waiver: the waiver for it, which may have expired.
    """

    rule: str
    severity: Severity
    status: FindingStatus
    account_id: str | None
    team_id: str | None
    project_id: str | None
    addon_id: str | None
    message: str
    evidence: Mapping[str, Any] = field(factory=dict)
    since: datetime | None = None
    fix: str | None = None
    waiver: Waiver | None = None

    @property
    def counts(self) -> bool:
        """Whether it counts: it is not waived."""
        return self.status is not FindingStatus.WAIVED

    @property
    def place(self) -> str:
        """The ids of the place, from the account to the addon."""
        ids = (self.account_id, self.team_id, self.project_id, self.addon_id)
        return "/".join(each for each in ids if each) or "the account"


@frozen(kw_only=True)
class AddonReport:
    """One addon: its state, its newest backups, and how often it should be backed up.

    Args:
        last_success_at: when the newest completed backup completed, or was created if that is not known.
        last_size: its size in bytes.
        last_status: the status of the newest backup.
        expected_interval: the longest time between two backups that is allowed; `None` if it is not known.
        backups_read_at: when the backups were read.
        history: its last 90 days.
    """

    account_id: str | None
    team_id: str | None
    project_id: str
    addon_id: str
    addon_type: str | None
    state: AddonState
    last_success_at: datetime | None
    last_size: int | None
    last_status: str | None
    expected_interval: timedelta | None
    backups_read_at: datetime | None
    history: History = field(repr=False)


@frozen(kw_only=True)
class AccountReport:
    """One account: when the last sync run that finished began, and how many addons could not be read."""

    account_id: str | None
    synced_at: datetime | None
    unreadable_addons: int


@frozen(kw_only=True)
class Summary:
    """The numbers of addons by state, and of findings that count by severity, and of those that are waived."""

    addons: int = 0
    healthy: int = 0
    warn: int = 0
    critical: int = 0
    unknown: int = 0
    skipped: int = 0
    waived: int = 0
    findings: Mapping[Severity, int] = field(factory=dict)


@frozen(kw_only=True)
class Report:
    """The judgement of an inventory.

    Args:
        generated_at: the time of the audit.
        complete: whether the last sync of every account finished, and everything could be read and checked.
        summary: the numbers.
        findings: the worst first.
        addons: every addon, also those without findings.
        accounts: every account.
        policy: what it was judged by.
    """

    generated_at: datetime
    complete: bool
    summary: Summary
    findings: tuple[Finding, ...]
    addons: tuple[AddonReport, ...] = field(repr=False)
    accounts: tuple[AccountReport, ...]
    policy: Policy = field(repr=False)

    def failing(self, fail_on: Severity = Severity.HIGH) -> list[Finding]:
        """Return the findings that count and are at least that severe; unknown ones are among them."""
        return [each for each in self.findings if each.counts and each.severity.rank >= fail_on.rank]


async def audit(
    inventory: "Inventory", policy: Policy | None = None, *, now: datetime | None = None, is_temporary: bool = False
) -> Report:
    """Judge an inventory by a policy. No request is sent.

        async with Inventory("inventory.db") as inventory:
            await inventory.sync(Query(nf, restores=True, schedules=True))
            report = await audit(inventory, Policy.load("policy.toml"))

    Args:
        inventory: what is judged; addon by addon, so that it need not fit into memory.
        policy: the rules; by default, those of `Policy()`.
        now: the time of the audit, with a time zone; by default, the present.
        is_temporary: no finding suggests to sync this inventory, or to record something in it.

    Raises:
        FileNotFoundError: nothing was ever synced into the database.
        OSError: the database cannot be read.
    """
    stored = (inventory.target, inventory.schema)
    sync, options = (None, ()) if is_temporary else (fixes.sync(*stored), fixes.inventory_options(*stored))
    builder = ReportBuilder(policy or Policy(), now or datetime.now(UTC), sync, options)
    async for facts in inventory.addon_facts():
        builder.add_addon(facts)
    for account in await inventory.account_facts():
        builder.add_account(account)
    return builder.build()


class ReportBuilder:
    """Builds a report from facts, addon by addon.

    Args:
        policy: the rules.
        now: the time of the audit.
        sync: the command that brings the inventory up to date; `None` if it is not stored.
        inventory: the options of `mirror` and `drill` that name the inventory; none if it is not stored.
    """

    def __init__(self, policy: Policy, now: datetime, sync: str | None = None, inventory: tuple[str, ...] = ()) -> None:
        self._policy = policy
        self._now = now.astimezone(UTC)
        self._sync = sync
        self._inventory = inventory
        self._addons: list[AddonReport] = []
        self._accounts: list[AccountReport] = []
        self._findings: list[Finding] = []
        self._judged: Counter[str | None] = Counter()
        self._unreadable: Counter[str | None] = Counter()
        self._is_complete = True

    def add_addon(self, facts: AddonFacts) -> None:
        """Judge an addon."""
        place = Place(
            account_id=facts.account_id,
            team_id=facts.team_id,
            project_id=facts.project_id,
            addon_id=facts.addon_id,
            addon_type=facts.addon_type,
            tags=facts.tags,
        )
        rules = self._policy.rules_for(place)
        case = Case(facts=facts, rules=rules, now=self._now, sync=self._sync, inventory=self._inventory)
        found = [self._finding(rule, place, verdict) for rule, verdict in judge(case)]
        self._findings += found
        state = _state(facts, found)
        if state is not AddonState.SKIPPED:
            self._judged[facts.account_id] += 1
            self._unreadable[facts.account_id] += facts.unreadable is not None
            is_checked = facts.unreadable is None and all(each.status is not FindingStatus.UNKNOWN for each in found)
            self._is_complete = self._is_complete and is_checked
        last = next((backup for backup in case.completed if backup.created_at is not None), None)
        self._addons.append(
            AddonReport(
                account_id=facts.account_id,
                team_id=facts.team_id,
                project_id=facts.project_id,
                addon_id=facts.addon_id,
                addon_type=facts.addon_type,
                state=state,
                last_success_at=last and (last.completed_at or last.created_at),
                last_size=last and last.size,
                last_status=case.backups[0].status if case.backups else None,
                expected_interval=expected_interval(case),
                backups_read_at=facts.backups.read_at,
                history=read_history(case),
            )
        )

    def add_account(self, account: AccountFacts) -> None:
        """Report what could not be read of an account. Its addons have been added before."""
        self._is_complete = self._is_complete and account.is_finished and not account.failures
        self._findings += [finding for unread in account.unread for finding in self._unread(unread)]
        if not self._judged[account.account_id]:
            self._judge_empty(account)
        self._accounts.append(
            AccountReport(
                account_id=account.account_id,
                synced_at=account.synced_at,
                unreadable_addons=self._unreadable[account.account_id],
            )
        )

    def build(self) -> Report:
        """Return the report."""
        states = Counter(addon.state for addon in self._addons)
        counted = Counter(finding.severity for finding in self._findings if finding.counts)
        summary = Summary(
            addons=len(self._addons),
            **{state.value: states[state] for state in AddonState},
            waived=sum(not finding.counts for finding in self._findings),
            findings={severity: counted[severity] for severity in Severity},
        )
        return Report(
            generated_at=self._now,
            complete=self._is_complete,
            summary=summary,
            findings=tuple(sorted(self._findings, key=_worst_first)),
            addons=tuple(self._addons),
            accounts=tuple(self._accounts),
            policy=self._policy,
        )

    def _finding(self, rule: str, place: Place, verdict: Verdict) -> Finding:
        finding = Finding(
            rule=rule,
            severity=verdict.severity,
            status=FindingStatus.UNKNOWN if verdict.is_unknown else FindingStatus.OPEN,
            account_id=place.account_id,
            team_id=place.team_id,
            project_id=place.project_id,
            addon_id=place.addon_id,
            message=verdict.message,
            evidence=verdict.evidence,
            since=verdict.since,
            fix=verdict.fix,
        )
        waiver = self._policy.find_waiver(rule, place)
        if waiver is None:
            return finding
        known = {"reason": waiver.reason, "expires": waiver.expires}
        if waiver.is_expired(self._now):
            message = f"{finding.message}; its waiver expired on {waiver.expires}"
            evidence = {**finding.evidence, "expired_waiver": known}
            return evolve(finding, message=message, evidence=evidence, waiver=waiver)
        evidence = {**finding.evidence, "waiver": known}
        return evolve(finding, status=FindingStatus.WAIVED, evidence=evidence, waiver=waiver)

    def _unread(self, unread: UnreadPlace) -> Iterator[Finding]:
        place = Place(
            account_id=unread.account_id,
            team_id=unread.team_id,
            project_id=unread.project_id,
            addon_id=unread.addon_id,
        )
        severity = self._policy.rules_for(place).unreadable.severity
        if severity is None:
            return
        verdict = Verdict(
            severity=severity,
            message=f"it could not be read: {unread.error}",
            evidence={"error": unread.error},
            fix=self._sync,
        )
        yield self._finding("unreadable", place, verdict)

    def _judge_empty(self, account: AccountFacts) -> None:
        """Judge an account without an addon that tells how old its data are."""
        place = Place(account_id=account.account_id)
        rule = self._policy.rules_for(place).stale_data
        if rule.severity is None:
            return
        synced_at = account.synced_at
        if synced_at is not None and self._now - synced_at <= rule.max_age:
            return
        verdict = Verdict(
            severity=rule.severity,
            message="no sync of it has ever finished"
            if synced_at is None
            else f"its last sync began at {format_time(synced_at)}",
            evidence={"synced_at": synced_at},
            since=synced_at and synced_at + rule.max_age,
            fix=self._sync,
            is_unknown=synced_at is None,
        )
        self._findings.append(self._finding("stale-data", place, verdict))


def _state(facts: AddonFacts, found: Iterable[Finding]) -> AddonState:
    if is_skipped(facts):
        return AddonState.SKIPPED
    if facts.unreadable is not None:
        return AddonState.UNKNOWN
    counted = [finding for finding in found if finding.counts]
    severities = [finding.severity for finding in counted if finding.status is FindingStatus.OPEN]
    if Severity.CRITICAL in severities:
        return AddonState.CRITICAL
    if severities:
        return AddonState.WARN
    return AddonState.UNKNOWN if counted else AddonState.HEALTHY


def _worst_first(finding: Finding) -> tuple[int, int, tuple[str, ...]]:
    ids = (finding.account_id, finding.team_id, finding.project_id, finding.addon_id)
    return -finding.severity.rank, _RULE_ORDER[finding.rule], tuple(each or "" for each in ids)


def by_place(report: Report) -> Iterator[tuple[AddonReport, list[Finding]]]:
    """Yield every addon with its findings."""
    found: dict[tuple[str | None, ...], list[Finding]] = {}
    for finding in report.findings:
        key = (finding.account_id, finding.team_id, finding.project_id, finding.addon_id)
        found.setdefault(key, []).append(finding)
    for addon in report.addons:
        yield addon, found.get((addon.account_id, addon.team_id, addon.project_id, addon.addon_id), [])
