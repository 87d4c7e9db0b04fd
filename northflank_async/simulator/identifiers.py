"""Ids of what is created."""

import re
from collections.abc import Callable


def free_id(name: str, is_taken: Callable[[str], bool]) -> str:
    """The name as an id, with a number behind it where that is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())
    number, free = 1, slug
    while is_taken(free):
        number += 1
        free = f"{slug}-{number}"
    return free
