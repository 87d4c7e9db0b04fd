from attrs import frozen


@frozen(kw_only=True)
class Cluster:
    """The cluster that a project or an addon runs in."""

    id: str
    name: str | None = None
    namespace: str | None = None
    load_balancers: tuple[str, ...] | None = None
