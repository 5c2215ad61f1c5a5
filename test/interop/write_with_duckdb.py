"""Runs SQL with DuckDB on the tables of an Iceberg REST catalog, attached as `lake`.

usage: write_with_duckdb.py URI < STATEMENTS      STATEMENTS: a JSON list of SQL texts, one transaction each

Prints a JSON list: of each statement its rows, as text, or {"error": message}.
"""

import importlib
import json
import pathlib
import sys

import duckdb

connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
for extension in ("avro", "httpfs", "iceberg"):
    module = importlib.import_module(f"duckdb_extension_{extension}")
    [file] = pathlib.Path(module.__path__[0]).rglob("*.duckdb_extension")
    connection.execute(f"LOAD '{file}'")
connection.execute(f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{sys.argv[1]}', AUTHORIZATION_TYPE 'none')")


def answer(statement):
    try:
        return [[str(value) for value in row] for row in connection.execute(statement).fetchall()]
    except duckdb.Error as error:
        return {"error": str(error)}


print(json.dumps([answer(statement) for statement in json.load(sys.stdin)]))
