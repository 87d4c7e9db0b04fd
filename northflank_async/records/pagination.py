from attrs import frozen


@frozen(kw_only=True)
class Pagination:
    """Whether there is a next page, its cursor, and the number of items on this page."""

    has_next_page: bool
    count: int
    cursor: str | None = None
