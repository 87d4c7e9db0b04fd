"""The backup destination of several tests, and its credentials."""

from northflank_async import BackupDestination, DestinationCredentials

KEYS = DestinationCredentials(
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG",
    bucket_name="backups",
    region="us-west-2",
    endpoint="s3.us-west-2.amazonaws.com",
)
OFFSITE = BackupDestination(destination_id="offsite-bucket", retention_time=7)
