"""What must not be shown."""


class Secret(str):
    """Text that does not show itself where a repr is printed, such as the locals of a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"
