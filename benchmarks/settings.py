"""What the command line says of the measuring."""

from attrs import frozen


@frozen(kw_only=True)
class Settings:
    """How often and how much; `quick` is for seeing that all of it works, its figures mean nothing."""

    quick: bool = False
    rounds: int | None = None
    latencies: tuple[int, ...] = (0, 20, 50, 100)
    """In milliseconds."""
    concurrency: int = 32
    larger_inventory: int = 100_000
    """Backups, of the group `memory`."""

    def rounds_or(self, default: int) -> int:
        """The rounds that were asked for, or else the group's own number."""
        return self.rounds or (1 if self.quick else default)
