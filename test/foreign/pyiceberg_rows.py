"""Prints columns of a table of an Iceberg REST catalog as PyIceberg reads them.

usage: pyiceberg_rows.py URI TABLE COLUMN…      TABLE: namespace.name

A JSON list of rows, every value as text, in the order of the columns' values.
"""

import json
import sys

from pyiceberg.catalog.rest import RestCatalog

uri, name, *columns = sys.argv[1:]
table = RestCatalog("lake", uri=uri).load_table(name)
rows = table.scan(selected_fields=tuple(columns)).to_arrow().to_pylist()
rows.sort(key=lambda row: [row[column] for column in columns[:2]])
print(json.dumps([[str(row[column]) for column in columns] for row in rows]))
