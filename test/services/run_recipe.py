"""Runs a recipe of the documentation against S3, and prints the rows of its last statement or expression as JSON.

usage: run_recipe.py LANGUAGE < RECIPE      LANGUAGE: sql | python

AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are the `key` and `secret` of a recipe in Python. DuckDB's extensions come from their wheels:
what INSTALL would download lies there.
"""

import ast
import importlib
import json
import os
import pathlib
import re
import sys


def extension(name):
    module = importlib.import_module(f"duckdb_extension_{name}")
    [file] = pathlib.Path(module.__path__[0]).rglob("*.duckdb_extension")
    return f"LOAD '{file}'"


def run_sql(text):
    import duckdb

    connection = duckdb.connect()
    # What INSTALL iceberg brings with it.
    connection.execute(extension("avro"))
    # A comment may have a semicolon in it.
    statements = [part for part in re.sub("--.*", "", text).split(";") if part.strip()]
    for statement in statements:
        installed = re.fullmatch(r"\s*INSTALL (\w+)\s*", statement)
        answer = connection.execute(extension(installed[1]) if installed else statement)
    return answer.fetchall()


def run_python(text):
    from pyiceberg.table import StaticTable

    names = {"StaticTable": StaticTable, "key": os.environ["AWS_ACCESS_KEY_ID"], "secret": os.environ["AWS_SECRET_ACCESS_KEY"]}
    *body, last = ast.parse(text).body
    exec(compile(ast.Module(body, []), "recipe", "exec"), names)
    table = eval(compile(ast.Expression(last.value), "recipe", "eval"), names)
    return [list(row.values()) for row in table.to_pylist()]


print(json.dumps({"sql": run_sql, "python": run_python}[sys.argv[1]](sys.stdin.read()), default=str))
