"""The policy: which rules apply to which addon, with which thresholds, and what is waived.

The fields of `Rules` and of its settings are the only list of rules, keys and defaults. The documentation is generated
from them.
"""

import tomllib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

from attrs import Attribute, evolve, field, fields, frozen

from northflank_async.errors import ConfigurationError
from northflank_async.validation import did_you_mean, parse_span

_OFF = "off"
_LONGEST = timedelta(days=36_500)
_LARGEST = 1_000.0
"""The largest span and number of a policy: a time plus or minus these is still one."""


class Severity(StrEnum):
    """How bad a finding is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The place in the order of severities; the lowest is 0."""
        return list(Severity).index(self)


Level: TypeAlias = Severity | None
"""The severity of a finding, or `None` if it is off."""


@frozen(kw_only=True)
class Unreadable:
    """An addon, project or account that could not be read."""

    severity: Level = field(default=Severity.HIGH, metadata={"meaning": "its severity"})


@frozen(kw_only=True)
class StaleData:
    """Data that is too old to be judged."""

    severity: Level = field(default=Severity.HIGH, metadata={"meaning": "its severity"})
    max_age: timedelta = field(
        default=timedelta(hours=26), metadata={"meaning": "the oldest data; `--max-data-age` overrides it"}
    )


@frozen(kw_only=True)
class NoSchedule:
    """A stateful addon without a backup schedule."""

    severity: Level = field(default=Severity.HIGH, metadata={"meaning": "its severity"})
    stateless: tuple[str, ...] = field(
        default=("memcached",), metadata={"meaning": "addon types that need no schedule"}
    )


@frozen(kw_only=True)
class NoBackup:
    """An addon without any completed backup."""

    severity: Level = field(default=Severity.CRITICAL, metadata={"meaning": "its severity"})


@frozen(kw_only=True)
class Stale:
    """A newest completed backup that is older than the due times of a schedule."""

    warn: Level = field(default=Severity.MEDIUM, metadata={"meaning": "one missed due time"})
    critical: Level = field(default=Severity.CRITICAL, metadata={"meaning": "two missed due times, or more"})
    max_age: timedelta = field(
        default=timedelta(hours=24),
        metadata={"meaning": "the age that counts as one missed due time if there is no schedule, twice that as two"},
    )
    tolerance: timedelta = field(
        default=timedelta(hours=1),
        metadata={"meaning": "how long a scheduled backup may take, or twice the median duration if that is longer"},
    )


@frozen(kw_only=True)
class Failing:
    """The last runs failed. Runs that were aborted, or have not ended, are ignored."""

    warn: Level = field(default=Severity.MEDIUM, metadata={"meaning": "the last run failed"})
    critical: Level = field(default=Severity.CRITICAL, metadata={"meaning": "`runs` or more failed in a row"})
    runs: int = field(default=2, metadata={"meaning": "failed runs in a row that are critical"})


@frozen(kw_only=True)
class Stuck:
    """A run that does not end."""

    severity: Level = field(default=Severity.HIGH, metadata={"meaning": "its severity"})
    min_age: timedelta = field(
        default=timedelta(hours=1), metadata={"meaning": "the age from which a run can be stuck"}
    )
    factor: float = field(
        default=5.0, metadata={"meaning": "how many times the median duration of the addon's runs is too long"}
    )


@frozen(kw_only=True)
class Size:
    """The newest dump is empty, or much smaller or larger than those before it. Snapshots are not compared."""

    warn: Level = field(default=Severity.MEDIUM, metadata={"meaning": "a dump of unusual size"})
    critical: Level = field(default=Severity.CRITICAL, metadata={"meaning": "a dump of zero bytes"})
    under: float = field(default=0.5, metadata={"meaning": "the smallest usual size, as a share of the median"})
    over: float = field(default=5.0, metadata={"meaning": "the largest usual size, as a multiple of the median"})
    last: int = field(default=7, metadata={"meaning": "dumps that the median is of"})


@frozen(kw_only=True)
class Retention:
    """A schedule that keeps its backups for too short a time."""

    severity: Level = field(default=Severity.MEDIUM, metadata={"meaning": "its severity"})
    at_least: timedelta = field(default=timedelta(days=7), metadata={"meaning": "the shortest retention"})


@frozen(kw_only=True)
class Few:
    """Too few completed backups."""

    severity: Level = field(default=Severity.MEDIUM, metadata={"meaning": "its severity"})
    at_least: int = field(default=2, metadata={"meaning": "the fewest completed backups"})


@frozen(kw_only=True)
class Untested:
    """No completed restore of any of the addon's backups, and no drill that passed, for a long time."""

    severity: Level = field(default=Severity.LOW, metadata={"meaning": "its severity"})
    max_age: timedelta = field(default=timedelta(days=180), metadata={"meaning": "the oldest last restore"})


@frozen(kw_only=True)
class NoOffsite:
    """No additional or custom destination, neither of a schedule nor of the newest backup of either type, and no recent
    dump in the copies that `mirror --inventory` has recorded."""

    severity: Level = field(default=None, metadata={"meaning": "its severity; turn it on with `low`"})
    max_lag: timedelta = field(
        default=timedelta(days=2),
        metadata={"meaning": "how much older than the newest completed backup the newest copied dump may be"},
    )


@frozen(kw_only=True)
class RestoreFailed:
    """The last restore did not complete, or has not ended within a day."""

    severity: Level = field(default=Severity.MEDIUM, metadata={"meaning": "its severity"})


@frozen(kw_only=True)
class Rules:
    """The settings of every rule. A rule's name is that of its field, with hyphens."""

    unreadable: Unreadable = field(default=Unreadable())
    stale_data: StaleData = field(default=StaleData())
    no_schedule: NoSchedule = field(default=NoSchedule())
    no_backup: NoBackup = field(default=NoBackup())
    stale: Stale = field(default=Stale())
    failing: Failing = field(default=Failing())
    stuck: Stuck = field(default=Stuck())
    size: Size = field(default=Size())
    retention: Retention = field(default=Retention())
    few: Few = field(default=Few())
    untested: Untested = field(default=Untested())
    no_offsite: NoOffsite = field(default=NoOffsite())
    restore_failed: RestoreFailed = field(default=RestoreFailed())

    def __getitem__(self, rule: str) -> Any:
        """Return the settings of a rule by its name."""
        return getattr(self, rule.replace("-", "_"))


RULES: Mapping[str, type[Any]] = {each.name.replace("_", "-"): each.type for each in fields(Rules) if each.type}
"""The class of the settings of each rule, by the rule's name."""


def worst_level(settings: Any) -> Level:
    """Return the highest severity that a rule can have; `None` if it is off."""
    levels = [getattr(settings, each.name) for each in level_fields(type(settings))]
    return max((level for level in levels if level), key=lambda level: level.rank, default=None)


def level_fields(cls: type[Any]) -> list["Attribute[Any]"]:
    """Return the fields of a rule's settings that are severities."""
    return [each for each in fields(cls) if each.type == Level]


@frozen(kw_only=True)
class Place:
    """What overrides and waivers match: an addon, or as much of its place as is known."""

    account_id: str | None = None
    team_id: str | None = None
    project_id: str | None = None
    addon_id: str | None = None
    addon_type: str | None = None
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class Match:
    """Which addons are meant: globs on ids, all of which must match. `None` matches everything."""

    project: str | None = None
    addon: str | None = None
    type: str | None = None
    tag: str | None = None
    account: str | None = None

    def matches(self, place: Place) -> bool:
        """Whether an addon, project or account is meant."""
        pairs = (
            (self.project, place.project_id),
            (self.addon, place.addon_id),
            (self.type, place.addon_type),
            (self.account, place.account_id),
        )
        if any(glob is not None and (word is None or not fnmatchcase(word, glob)) for glob, word in pairs):
            return False
        return self.tag is None or any(fnmatchcase(tag, self.tag) for tag in place.tags)


@frozen(kw_only=True)
class Override:
    """Settings of some addons: by the name of the rule and the key."""

    match: Match
    rules: Mapping[str, Mapping[str, Any]]


@frozen(kw_only=True)
class Waiver:
    """Findings of one rule that are accepted until the end of a day in UTC."""

    rule: str
    match: Match
    reason: str
    expires: date

    def matches(self, rule: str, place: Place) -> bool:
        """Whether the waiver is for a finding, expired or not."""
        return rule == self.rule and self.match.matches(place)

    def is_expired(self, now: datetime) -> bool:
        """Whether the last day of the waiver is over."""
        return now.astimezone(UTC).date() > self.expires


@frozen(kw_only=True)
class Policy:
    """How an inventory is judged: the defaults, unless a file says otherwise.

        policy = Policy.load("policy.toml")
        policy = Policy.parse('[rules]\\nno-offsite = "medium"')

    Args:
        rules: the settings of every rule.
        overrides: settings of some addons; later ones win.
        waivers: findings that are accepted for a time.
    """

    rules: Rules = Rules()
    overrides: tuple[Override, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> "Policy":
        """Read a policy from a TOML file.

        Raises:
            ConfigurationError: the file is not a policy.
            OSError: the file cannot be read.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")  # editors on Windows write a byte order mark
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path} is not UTF-8 text") from None
        return cls.parse(text, name=str(path))

    @classmethod
    def parse(cls, text: str, *, name: str = "the policy") -> "Policy":
        """Read a policy from TOML.

        Args:
            text: the TOML.
            name: the name of the file, for errors.

        Raises:
            ConfigurationError: it is not a policy; the error names the place.
        """
        try:
            return _read_policy(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{name} is not TOML: {error}") from None
        except RecursionError:
            raise ConfigurationError(f"{name} is nested too deeply") from None
        except _Invalid as error:
            raise ConfigurationError(f"{name}: {error}") from None

    def rules_for(self, place: Place) -> Rules:
        """Return the settings of every rule for an addon, project or account."""
        rules = self.rules
        for override in self.overrides:
            if override.match.matches(place):
                rules = _apply(rules, override.rules)
        return rules

    def with_max_data_age(self, max_age: timedelta) -> "Policy":
        """Return the policy with another limit for the age of the data, which no override changes.

        Raises:
            ConfigurationError: it is too long.
        """
        check_span(max_age)
        changes = {"stale-data": {"max_age": max_age}}
        return evolve(self, overrides=(*self.overrides, Override(match=Match(), rules=changes)))

    def find_waiver(self, rule: str, place: Place) -> Waiver | None:
        """Return the waiver for a finding that expires last, even if it has expired."""
        found = [waiver for waiver in self.waivers if waiver.matches(rule, place)]
        return max(found, key=lambda waiver: waiver.expires, default=None)


def _apply(rules: Rules, changes: Mapping[str, Mapping[str, Any]]) -> Rules:
    changed = {rule.replace("-", "_"): evolve(rules[rule], **keys) for rule, keys in changes.items()}
    return evolve(rules, **changed)


# Reading the file


class _Invalid(Exception):
    """Why a file is not a policy: the place in it, and the reason."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


def _read_policy(table: Mapping[str, Any]) -> Policy:
    _check_keys("", table, ("rules", "overrides", "waivers"))
    rules = _apply(Rules(), _read_rules("rules", table.get("rules", {})))
    overrides = _read_array("overrides", table, _read_override)
    return Policy(rules=rules, overrides=overrides, waivers=_read_array("waivers", table, _read_waiver))


def _read_override(place: str, table: Mapping[str, Any]) -> Override:
    names = [each.name for each in fields(Match)]
    _check_keys(place, table, (*names, "rules"))
    if "rules" not in table:
        raise _Invalid(place, "rules is missing, such as rules.stale.max_age")
    return Override(match=_read_match(place, table), rules=_read_rules(f"{place}.rules", table["rules"]))


def _read_waiver(place: str, table: Mapping[str, Any]) -> Waiver:
    names = [each.name for each in fields(Match) if each.name != "tag"]
    _check_keys(place, table, ("rule", *names, "reason", "expires"))
    for required in ("rule", "reason", "expires"):
        if required not in table:
            raise _Invalid(place, f"{required} is missing")
    rule, expires = _read_text(f"{place}.rule", table["rule"]), table["expires"]
    _check_rule(f"{place}.rule", rule)
    if isinstance(expires, datetime) or not isinstance(expires, date):
        raise _Invalid(
            f"{place}.expires", f"it must be a date such as 2027-01-31, without quotes, not {_toml(expires)}"
        )
    reason = _read_text(f"{place}.reason", table["reason"])
    if not reason.strip():
        raise _Invalid(f"{place}.reason", "it is empty")
    return Waiver(rule=rule, match=_read_match(place, table), reason=reason, expires=expires)


def _read_match(place: str, table: Mapping[str, Any]) -> Match:
    names = [each.name for each in fields(Match) if each.name in table]
    return Match(**{name: _read_text(f"{place}.{name}", table[name]) for name in names})


def _read_rules(place: str, table: Any) -> dict[str, dict[str, Any]]:
    """Read the settings of rules: by the name of the rule and the key."""
    _check_table(place, table)
    read = {}
    for rule, value in table.items():
        _check_rule(f"{place}.{rule}", rule)
        cls = RULES[rule]
        if isinstance(value, dict):
            read[rule] = _read_settings(f"{place}.{rule}", cls, value)
        else:
            level = _read_level(f"{place}.{rule}", value)
            read[rule] = {each.name: level for each in level_fields(cls)}
    return read


def _read_settings(place: str, cls: type[Any], table: Mapping[str, Any]) -> dict[str, Any]:
    types = {each.name: each.type for each in fields(cls)}
    _check_keys(place, table, types)
    return {key: _READ[types[key]](f"{place}.{key}", value) for key, value in table.items()}


def _read_level(place: str, value: Any) -> Level:
    words = [*Severity, _OFF]
    if value not in words:
        suggestion = did_you_mean(value, words) if isinstance(value, str) else ""
        raise _Invalid(place, f"it must be {', '.join(words[:-1])} or {_OFF}, not {_toml(value)}.{suggestion}")
    return None if value == _OFF else Severity(value)


def _read_duration(place: str, value: Any) -> timedelta:
    if not isinstance(value, str):
        raise _Invalid(place, f'it must be a time span such as "30m", "12h", "7d" or "2w", not {_toml(value)}')
    try:
        span = parse_span(value)
        check_span(span)
    except ConfigurationError as error:
        raise _Invalid(place, f"{error}") from None
    return span


def check_span(span: timedelta) -> None:
    """Check that times can be calculated with a span.

    Raises:
        ConfigurationError: it is too long.
    """
    if span > _LONGEST:
        raise ConfigurationError(f"the time span is too long: the longest is {_LONGEST.days}d")


def _read_integer(place: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _Invalid(place, f"it must be a whole number of 1 or more, not {_toml(value)}")
    return value


def _read_number(place: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LARGEST:
        raise _Invalid(place, f"it must be a number greater than 0, up to {_LARGEST:,.0f}, not {_toml(value)}")
    return float(value)


def _read_text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _Invalid(place, f"it must be text, not {_toml(value)}")
    return value


def _read_texts(place: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Invalid(place, f"it must be an array of texts, not {_toml(value)}")
    return tuple(_read_text(f"{place}[{index}]", each) for index, each in enumerate(value))


_READ: Mapping[Any, Callable[[str, Any], Any]] = {
    Level: _read_level,
    timedelta: _read_duration,
    int: _read_integer,
    float: _read_number,
    tuple[str, ...]: _read_texts,
}
"""How a value is read, by the type of its field."""


def _read_array(name: str, table: Mapping[str, Any], read: Callable[[str, Mapping[str, Any]], Any]) -> tuple[Any, ...]:
    items = table.get(name, [])
    if not isinstance(items, list):
        raise _Invalid(name, f"it must be an array of tables: write [[{name}]]")
    for index, item in enumerate(items):
        _check_table(f"{name}[{index}]", item)
    return tuple(read(f"{name}[{index}]", item) for index, item in enumerate(items))


def _check_table(place: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise _Invalid(place, f"it must be a table, not {_toml(value)}")


def _check_keys(place: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            raise _Invalid(f"{place}.{key}".lstrip("."), f"unknown key.{_suggest(key, known)}")


def _check_rule(place: str, rule: str) -> None:
    if rule not in RULES:
        raise _Invalid(place, f"unknown rule {rule!r}.{_suggest(rule, RULES)}")


def _suggest(word: str, known: Collection[str]) -> str:
    return did_you_mean(word, known) or f" Known: {', '.join(known)}."


def _toml(value: Any) -> str:
    """Show a value as TOML has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    return str(value) if isinstance(value, date | time) else repr(value)
