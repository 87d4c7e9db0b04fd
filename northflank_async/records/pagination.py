from attrs import frozen


@frozen(kw_only=True)
class Pagination:
    """Where a page stands: whether there is more, the cursor of the next page, the number of items on this one."""

    has_next_page: bool
    count: int
    cursor: str | None = None
