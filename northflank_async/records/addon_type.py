from typing import Any

from attrs import frozen

from northflank_async.records.enums import AddonTypeScope


@frozen(kw_only=True)
class AddonTypeFeatures:
    """What addons of a type can do. `backups_dump` is whether dumps are possible."""

    backups_dump: bool | None = None
    custom_db_name: bool | None = None
    external_access: bool | None = None
    fork_addon: bool | None = None
    import_dump: bool | None = None
    import_live: bool | None = None
    scale_replicas: bool | None = None
    tls: bool | None = None


@frozen(kw_only=True)
class AddonTypeResources:
    """The replicas and storage sizes that addons of a type can have. The API does not document their contents."""

    replicas: dict[str, Any] | None = None
    storage: dict[str, Any] | None = None


@frozen(kw_only=True)
class AddonTypeConfig:
    """The settings of an addon type of your own."""

    enable_error_recovery: bool | None = None
    enable_template_values_modification: bool | None = None
    install_crds: bool | None = None
    show_template_values: bool | None = None
    use_nf_image_pull_secret: bool | None = None
    use_nf_secret_injection: bool | None = None


@frozen(kw_only=True)
class AddonType:
    """A type of addon, such as `postgresql`.

    Northflank's own types have `major`, `versions` and `resources`. Your own have `config` and `scope` instead.

    https://northflank.com/docs/v1/api/addons/get-addon-types
    """

    type: str
    name: str | None = None
    description: str | None = None
    features: AddonTypeFeatures | None = None
    major: tuple[str, ...] | None = None
    versions: tuple[str, ...] | None = None
    resources: AddonTypeResources | None = None
    config: AddonTypeConfig | None = None
    scope: AddonTypeScope | str | None = None


@frozen(kw_only=True)
class AddonTypes:
    """The response that contains the addon types."""

    addon_types: tuple[AddonType, ...]
