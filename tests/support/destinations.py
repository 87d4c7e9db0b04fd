"""The backup destination of several tests, and its credentials."""

from northflank_async import BackupDestination, DestinationCredentials

KEYS = DestinationCredentials(
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG",
    bucket_name="backups",
    region="us-west-2",
    endpoint="s3.us-west-2.amazonaws.com",
)
IDENTITY = DestinationCredentials(
    auth_mode="workloadIdentity",
    workload_identity_id="exporter",
    bucket_name="backups",
    region="us-west-2",
    endpoint="s3.us-west-2.amazonaws.com",
    enable_object_lock=True,
    object_lock_retention_days=30,
)
OFFSITE = BackupDestination(destination_id="offsite-bucket", retention_time=7)
