"""Lists the regions that the AWS SDK knows."""

from __future__ import annotations

import os

from botocore.loaders import create_loader


def known_regions() -> frozenset[str]:
    """Return the regions of all partitions in the installed SDK. AWS may have opened newer ones since."""
    # A session would read the profile, and a broken profile would stop even check-config.
    endpoints = create_loader(os.environ.get("AWS_DATA_PATH")).load_data("endpoints")
    return frozenset(region for partition in endpoints["partitions"] for region in partition["regions"])
