from attrs import field, frozen


@frozen(kw_only=True)
class DownloadLink:
    """Where a backup can be fetched for a while, by whoever has the link."""

    download_link: str = field(repr=False)
