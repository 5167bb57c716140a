"""What goes between machines and a bucket of another region."""


def traffic_note(bucket: str, there: str, region: str) -> list[str]:
    """A line where a bucket is in another region than the machines.

    Args:
        bucket: its name.
        there: its region; empty where nobody says it. Google's locations of several regions have no dash.
        region: of the machines.
    """
    if "-" not in there or there.lower() == region:
        return []
    return [
        f"bucket {bucket} is in {there.lower()}: what goes between it and {region} is billed by the gigabyte, and not "
        f"counted"
    ]
