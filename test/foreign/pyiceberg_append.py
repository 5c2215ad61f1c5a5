"""Appends rows to a table of an Iceberg REST catalog with PyIceberg.

usage: pyiceberg_append.py URI TABLE < ROWS       TABLE: namespace.name; ROWS: a JSON list of objects, by column

Columns that no row names are null, a map is a list of pairs. Prints the number of rows that the table has afterwards.
"""

import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

uri, name = sys.argv[1:]
table = RestCatalog("lake", uri=uri).load_table(name)
rows = json.load(sys.stdin)
types = table.schema().as_arrow()
for row in rows:
    for field in types:
        if pa.types.is_map(field.type) and row.get(field.name) is not None:
            row[field.name] = [tuple(pair) for pair in row[field.name]]
table.append(pa.Table.from_pylist(rows, schema=types))
print(table.scan().to_arrow().num_rows)
