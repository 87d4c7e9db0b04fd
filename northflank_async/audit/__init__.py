"""The audit: an inventory judged by the rules of a policy."""

from northflank_async.audit.policy import Policy, Severity, Waiver
from northflank_async.audit.report import (
    AccountReport,
    AddonReport,
    AddonState,
    Finding,
    FindingStatus,
    Report,
    Summary,
    audit,
)

__all__ = [
    "AccountReport",
    "AddonReport",
    "AddonState",
    "Finding",
    "FindingStatus",
    "Policy",
    "Report",
    "Severity",
    "Summary",
    "Waiver",
    "audit",
]
