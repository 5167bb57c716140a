"""What the launch files of `cluster/` need of a cloud's account: values filled in, doors, roles, quotas, what is left.

Every function takes the cloud's client that it works with. boto3 and google-api-python-client are imported where a
client is made (`aws/clients.py`, `google/clients.py`) and nowhere else.
"""
