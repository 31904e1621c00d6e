"""An imitation of Route 53 on a free port of the loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

ACCOUNT = {"access_key": "AKIDEXAMPLE", "secret_key": "canary-of-the-secret-access-key"}


@dataclass
class Amazon:
    """What the tests arrange and look at, with the same library but none of our code."""

    url: str
    client: Any

    def make_zone(self, name: str, *, private: bool = False) -> str:
        more: dict[str, Any] = {}
        if private:
            more = {"HostedZoneConfig": {"PrivateZone": True}, "VPC": {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}}
        made = self.client.create_hosted_zone(Name=name, CallerReference=f"{name} {id(more)}", **more)
        return str(made["HostedZone"]["Id"]).rpartition("/")[2]

    def records(self, zone_id: str) -> dict[tuple[str, str, str], tuple[list[str], int]]:
        """Values and TTL by name, type and set identifier, without those that every zone has."""
        pages = self.client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        return {
            (one["Name"].rstrip("."), one["Type"], one.get("SetIdentifier", "")): (
                [value["Value"] for value in one.get("ResourceRecords", ())],
                one.get("TTL", 0),
            )
            for page in pages
            for one in page["ResourceRecordSets"]
            if one["Type"] not in ("NS", "SOA")
        }

    def write(self, zone_id: str, kind: str, name: str, *values: str, **more: Any) -> None:
        one = {
            "Name": name,
            "Type": kind,
            "TTL": 300,
            "ResourceRecords": [{"Value": value} for value in values],
            **more,
        }
        if "AliasTarget" in more:
            del one["TTL"], one["ResourceRecords"]
        self.client.change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": one}]}
        )

    def options(self, zone: str, **others: Any) -> dict[str, Any]:
        """Options of the module for this endpoint."""
        return {"provider": "route53", "zone": zone, "endpoint_url": self.url, **ACCOUNT, **others}


@contextmanager
def running() -> Iterator[Amazon]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "route53", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    try:
        yield Amazon(url, client)
    finally:
        server.stop()
