"""Ids of created items."""

import re
from collections.abc import Callable


def unused_id(name: str, is_taken: Callable[[str], bool]) -> str:
    """Make an id from the name, with a number appended if it is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())
    number, candidate = 1, slug
    while is_taken(candidate):
        number += 1
        candidate = f"{slug}-{number}"
    return candidate
