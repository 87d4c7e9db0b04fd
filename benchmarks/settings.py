"""The settings from the command line."""

from attrs import frozen


@frozen(kw_only=True)
class Settings:
    """How many rounds, and how much data. `quick` only checks that everything works; its figures mean nothing."""

    quick: bool = False
    rounds: int | None = None
    latencies: tuple[int, ...] = (0, 20, 50, 100)
    """Milliseconds, in the group `scanning`."""
    concurrency: int = 32
    large_inventory: int = 100_000
    """Backups, in the group `memory`."""
    dumps: int = 20
    """Of 50 MB each, in the group `mirroring`."""

    def rounds_or(self, default: int) -> int:
        """Return the number of rounds: from the command line, or the group's default."""
        return self.rounds or (1 if self.quick else default)
