from attrs import field, frozen


@frozen(kw_only=True)
class DownloadLink:
    """A temporary link to a backup's file. It needs no token, so it is a secret."""

    download_link: str = field(repr=False)
