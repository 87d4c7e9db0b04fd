"""The asyncio client for Northflank's addon backups and restores."""
