"""The regions that the AWS SDK knows."""

from __future__ import annotations

from botocore.session import get_session


def known_regions() -> frozenset[str]:
    """Return the regions of all partitions, as of the installed SDK: AWS may have opened newer ones."""
    endpoints = get_session().get_component("data_loader").load_data("endpoints")
    return frozenset(region for partition in endpoints["partitions"] for region in partition["regions"])
