"""Works on a table of an Iceberg REST catalog with PyIceberg.

usage: pyiceberg_work.py URI TABLE < REQUEST      TABLE: namespace.name; REQUEST: a JSON object

{"append": [ROW, …]}: rows by column; columns that no row names are null, a map is a list of pairs.
{"delete": FILTER}: the rows for which PyIceberg's text of a predicate is true; it writes files anew.

What it cannot read it may still have written, so it is not asked what there is then.
"""

import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

uri, name = sys.argv[1:]
table = RestCatalog("lake", uri=uri).load_table(name)
request = json.load(sys.stdin)
if "append" in request:
    rows = request["append"]
    types = table.schema().as_arrow()
    for row in rows:
        for field in types:
            if pa.types.is_map(field.type) and row.get(field.name) is not None:
                row[field.name] = [tuple(pair) for pair in row[field.name]]
    table.append(pa.Table.from_pylist(rows, schema=types))
if "delete" in request:
    table.delete(request["delete"])
