"""DuckDB on the tables of an Iceberg REST catalog, attached as `lake`.

usage: duckdb_sql.py URI < STATEMENTS      STATEMENTS: SQL, each a JSON text on a line, a transaction each

Answers each statement with a line: a JSON list of its rows, every value as text, or {"error": message}. Ends with its input.
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


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
