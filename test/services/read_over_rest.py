"""Reads columns of a table of an Iceberg REST catalog, whose files lie in S3, with an engine that shares no code with us.

usage: read_over_rest.py ENGINE URI WAREHOUSE TABLE COLUMN…      ENGINE: pyiceberg | duckdb; TABLE: namespace.name

CATALOG_CREDENTIAL (id:secret) of the environment is exchanged for a token; without it nobody asks. The way to the files is what the
catalog hands out, and nothing else. Prints a JSON list of rows, every value as text, in the order of the first two columns.
"""

import importlib
import json
import os
import pathlib
import sys

CREDENTIAL = os.environ.get("CATALOG_CREDENTIAL")


def through_pyiceberg(uri, warehouse, table, columns):
    # Before the table is loaded: what is handed out with it lives for seconds.
    import pyiceberg.io.pyarrow  # noqa: F401
    from pyiceberg.catalog.rest import RestCatalog

    given = {"warehouse": warehouse} | ({"credential": CREDENTIAL} if CREDENTIAL else {})
    catalog = RestCatalog("lake", uri=uri, **given)
    rows = catalog.load_table(table).scan(selected_fields=columns).to_arrow().to_pylist()
    return [[row[column] for column in columns] for row in rows]


def through_duckdb(uri, warehouse, table, columns):
    import duckdb

    connection = duckdb.connect()
    # By file: the wheels bring them, and LOAD by name would look where INSTALL puts its downloads.
    for extension in ("avro", "httpfs", "iceberg"):
        module = importlib.import_module(f"duckdb_extension_{extension}")
        [file] = pathlib.Path(module.__path__[0]).rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    authorization = "AUTHORIZATION_TYPE 'none'"
    if CREDENTIAL:
        identity, secret = CREDENTIAL.split(":")
        connection.execute(
            f"""CREATE SECRET login (TYPE iceberg, CLIENT_ID '{identity}', CLIENT_SECRET '{secret}',
            OAUTH2_SERVER_URI '{uri}/v1/oauth/tokens')"""
        )
        authorization = "SECRET login"
    connection.execute(f"ATTACH '{warehouse}' AS lake (TYPE iceberg, ENDPOINT '{uri}', {authorization})")
    *namespace, name = table.split(".")
    place = f'lake."{".".join(namespace)}".{name}'
    return connection.execute(f"SELECT {', '.join(columns)} FROM {place}").fetchall()


def main():
    engine, uri, warehouse, table, *columns = sys.argv[1:]
    read = {"pyiceberg": through_pyiceberg, "duckdb": through_duckdb}[engine]
    rows = sorted(read(uri, warehouse, table, tuple(columns)), key=lambda row: row[:2])
    print(json.dumps([[str(value) for value in row] for row in rows]))


main()
