"""What a cluster of `cluster/gcp.yaml` needs of a project of Google Cloud: doors, quotas, and what is left."""
