"""Reads an Iceberg table in a bucket by its location, with an engine that shares no code with us, and prints sums.

usage: read_over_s3.py ENGINE LOCATION      ENGINE: pyiceberg | duckdb

Endpoint, region and keys are those of the environment: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY. Prints one JSON array per origin, sorted: origin, rows, sum of delay, sum of distance, typed rows.
"""

import importlib
import json
import os
import pathlib
import sys
from urllib.parse import urlsplit

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
REGION = os.environ["AWS_REGION"]
KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]


def through_pyiceberg(location):
    from pyiceberg.table import StaticTable

    properties = {
        "s3.endpoint": ENDPOINT,
        "s3.region": REGION,
        "s3.access-key-id": KEY,
        "s3.secret-access-key": SECRET,
    }
    fields = ("origin", "delay", "distance", "_kafka_value_state")
    rows = StaticTable.from_metadata(location, properties).scan(selected_fields=fields).to_arrow().to_pylist()
    sums = {}
    for row in rows:
        held = sums.setdefault(row["origin"], [0, 0, 0, 0])
        held[0] += 1
        held[1] += row["delay"]
        held[2] += row["distance"]
        held[3] += row["_kafka_value_state"] == "typed"
    return [[origin, *held] for origin, held in sorted(sums.items())]


def through_duckdb(location):
    import duckdb

    connection = duckdb.connect()
    # By file: the wheels bring them, and LOAD by name would look where INSTALL puts its downloads.
    for extension in ("avro", "httpfs", "iceberg"):
        module = importlib.import_module(f"duckdb_extension_{extension}")
        [file] = pathlib.Path(module.__path__[0]).rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    endpoint = urlsplit(ENDPOINT)
    connection.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', REGION '{REGION}', ENDPOINT '{endpoint.netloc}',
        URL_STYLE 'path', USE_SSL {str(endpoint.scheme == "https").lower()})"""
    )
    return connection.execute(
        """SELECT origin, count(*)::BIGINT, sum(delay)::BIGINT, sum(distance)::BIGINT,
        (count(*) FILTER (_kafka_value_state = 'typed'))::BIGINT FROM iceberg_scan(?) GROUP BY origin ORDER BY origin""",
        [location],
    ).fetchall()


def main():
    engine, location = sys.argv[1:]
    read = {"pyiceberg": through_pyiceberg, "duckdb": through_duckdb}[engine]
    for row in read(location):
        print(json.dumps(list(row)))


main()
