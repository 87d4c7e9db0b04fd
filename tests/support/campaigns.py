"""The size of campaigns: many random runs of the same kind, of which `make test` makes only some."""

import os

SCALE = int(os.environ.get("CAMPAIGN", "1"))
"""How many times the usual number of runs."""
