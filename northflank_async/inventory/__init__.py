"""Many addons at once."""

from northflank_async.inventory.export import Export, export

__all__ = ["Export", "export"]
