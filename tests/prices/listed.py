"""Build entries of AWS's price list in the formats of the API, index.json and index.csv."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

REGION = "us-east-1"
Item = dict[str, Any]
# The names of the columns of index.csv, by those of the attributes.
COLUMNS = {
    "location": "Location",
    "locationType": "Location Type",
    "regionCode": "Region Code",
    "usagetype": "usageType",
    "operation": "operation",
    "component": "Component",
    "instanceName": "Instance Name",
    "instanceType": "Instance Type",
    "platoinstancetype": "Plato Instance Type",
    "vCpu": "vCPU",
    "memory": "Memory",
    "gpu": "GPU",
    "physicalGpu": "Physical GPU",
}


def item(
    name: str = "ml.m5.xlarge",
    price: object = "0.2300000000",
    *,
    sku: str = "",
    family: str = "ML Instance",
    currency: str = "USD",
    unit: object = "Hrs",
    **attributes: str | None,
) -> Item:
    """Return an entry of the list. Attributes that are None, and a price that is None, are left out."""
    sku = sku or f"SKU-{name}-{attributes.get('platoinstancetype', 'Training')}".replace(".", "-").upper()
    all_attributes = {
        "locationType": "AWS Region",
        "regionCode": REGION,
        "usagetype": f"USE1-Train:{name}",
        "component": "Training",
        "instanceName": name,
        "instanceType": f"{name}-Training",
        "platoinstancetype": "Training",
        "vCpu": "4",
        "memory": "16 GiB",
        "gpu": "0",
        "physicalGpu": "N/A",
        **attributes,
    }
    dimension = {"unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": {currency: price}}
    term = {"sku": sku, "priceDimensions": {} if price is None else {f"{sku}.A.B": dimension}}
    kept = {key: value for key, value in all_attributes.items() if value is not None}
    return {
        "product": {"productFamily": family, "sku": sku, "attributes": kept},
        "serviceCode": "AmazonSageMaker",
        "terms": {"OnDemand": {f"{sku}.A": term}},
    }


def spot(name: str = "ml.m5.xlarge", price: object = "0.2500000000", **attributes: str | None) -> Item:
    marks: Any = {"platoinstancetype": "SpotTraining", "usagetype": f"USE1-TrSpt:{name}", **attributes}
    return item(name, price, **marks)


def index_json(items: Iterable[Item], code: str = "AmazonSageMaker") -> str:
    """Return the items as an index.json of AWS."""
    listed = list(items)
    products = {one["product"]["sku"]: one["product"] for one in listed}
    terms = {one["product"]["sku"]: one["terms"]["OnDemand"] for one in listed}
    head = {"formatVersion": "v1.0", "disclaimer": "...", "offerCode": code, "version": "20260924235900"}
    return json.dumps({**head, "products": products, "terms": {"OnDemand": terms, "Reserved": {}}}, indent=1)


def rows(items: Iterable[Item]) -> list[dict[str, str]]:
    """Return the items as rows of index.csv, one for each price."""
    found = []
    for one in items:
        product = one["product"]
        attributes = {COLUMNS[key]: value for key, value in product["attributes"].items() if key in COLUMNS}
        for term in one["terms"]["OnDemand"].values():
            for dimension in term["priceDimensions"].values():
                ((currency, price),) = dimension["pricePerUnit"].items()
                found.append(
                    {
                        "SKU": product["sku"],
                        "OfferTermCode": "A",
                        "TermType": "OnDemand",
                        "PriceDescription": f"{price} per hour, and more",
                        "Unit": str(dimension["unit"]),
                        "PricePerUnit": str(price),
                        "Currency": currency,
                        "Product Family": product["productFamily"],
                        **attributes,
                    }
                )
    return found


def write_csv(path: Path, lines: Iterable[dict[str, str]], code: str = "AmazonSageMaker") -> Path:
    """Write an index.csv: AWS's five lines of metadata, the column names, and the rows."""
    names = ["SKU", "OfferTermCode", "TermType", "PriceDescription", "Unit", "PricePerUnit", "Currency"]
    names += ["Product Family", *COLUMNS.values()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        plain = csv.writer(file, quoting=csv.QUOTE_ALL)
        plain.writerows(
            [["FormatVersion", "v1.0"], ["Disclaimer", "..."], ["Publication Date", "2026-09-24T23:59:00Z"]]
        )
        plain.writerows([["Version", "20260924235900"], ["OfferCode", code]])
        writer = csv.DictWriter(file, names, restval="", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(lines)
    return path


class MemoryCache:
    """Cache price lists in memory."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    async def load(self) -> Mapping[str, str]:
        return self._texts

    async def store(self, region: str, text: str) -> None:
        self._texts[region] = text
