"""The audit: an inventory judged by the rules of a policy."""
