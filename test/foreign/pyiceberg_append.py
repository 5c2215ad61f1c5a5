"""Appends rows to a table of an Iceberg REST catalog with PyIceberg.

usage: pyiceberg_append.py URI TABLE < ROWS       TABLE: namespace.name; ROWS: a JSON list of objects, by column

Columns that no row names are null. Prints the number of rows that the table has afterwards.
"""

import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

uri, name = sys.argv[1:]
table = RestCatalog("lake", uri=uri).load_table(name)
rows = json.load(sys.stdin)
named = {column for row in rows for column in row}
types = [field for field in table.schema().as_arrow() if field.name in named]
table.append(pa.Table.from_pylist(rows, schema=pa.schema(types)))
print(table.scan().to_arrow().num_rows)
