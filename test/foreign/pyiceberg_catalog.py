"""All that PyIceberg does with tables of its own in an Iceberg REST catalog.

usage: pyiceberg_catalog.py URI NAMESPACE

Prints what came of it as one JSON object, and leaves nothing behind but the namespace's last table, `kept`.
"""

import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NamespaceNotEmptyError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.types import DoubleType

uri, namespace = sys.argv[1:]
catalog = RestCatalog("lake", uri=uri)
said = {}
catalog.create_namespace(namespace, {"owner": "ann"})
said["properties"] = catalog.load_namespace_properties(namespace)
rows = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "city": ["ams", "ber", None]})
table = catalog.create_table(f"{namespace}.kept", schema=rows.schema)
table.append(rows)
table.append(rows.slice(0, 1))
with table.update_schema() as update:
    update.add_column("total", DoubleType())
said["columns"] = catalog.load_table(f"{namespace}.kept").schema().column_names
said["rows"] = sorted(catalog.load_table(f"{namespace}.kept").scan().to_arrow().column("id").to_pylist())
table.delete("id = 1")
said["left"] = sorted(catalog.load_table(f"{namespace}.kept").scan().to_arrow().column("id").to_pylist())

with catalog.create_table_transaction(f"{namespace}.staged", schema=rows.schema) as staged:
    staged.append(rows)
said["staged"] = catalog.load_table(f"{namespace}.staged").scan().to_arrow().num_rows
said["tables"] = sorted(name for _, name in catalog.list_tables(namespace))


def refused(work):
    try:
        work()
        return "nothing"
    except (NamespaceNotEmptyError, NoSuchTableError, TableAlreadyExistsError) as error:
        return type(error).__name__


said["again"] = refused(lambda: catalog.create_table(f"{namespace}.kept", schema=rows.schema))
said["full"] = refused(lambda: catalog.drop_namespace(namespace))
catalog.purge_table(f"{namespace}.staged")
said["gone"] = refused(lambda: catalog.load_table(f"{namespace}.staged"))
print(json.dumps(said))
