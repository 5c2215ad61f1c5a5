"""What PyIceberg finds in each partition of a topic's table in an Iceberg REST catalog, which it loads anew for every line of input.

usage: pyiceberg_ends.py URI TABLE < LINES      TABLE: namespace.name

Answers each line with a line: a JSON list of rows, every value as text, one for each partition: its number, how many rows it has, the
lowest and the highest offset, the sum of the offsets, and in how many rows the column `n` is another number. Ends with its input.
"""

import json
import sys

import pyarrow.compute as compute
from pyiceberg.catalog.rest import RestCatalog

uri, name = sys.argv[1:]
catalog = RestCatalog("lake", uri=uri)


def answer():
    fields = ("_kafka_partition", "_kafka_offset", "n")
    rows = catalog.load_table(name).scan(selected_fields=fields).to_arrow()
    other = compute.cast(compute.not_equal(rows["n"], rows["_kafka_offset"]), "int64")
    wanted = [("_kafka_offset", how) for how in ("count", "min", "max", "sum")] + [("other", "sum")]
    found = rows.append_column("other", other).group_by("_kafka_partition").aggregate(wanted)
    columns = ["_kafka_partition", *("_".join(column) for column in wanted)]
    return [[str(row[column]) for column in columns] for row in found.to_pylist()]


for _ in sys.stdin:
    try:
        print(json.dumps(answer()), flush=True)
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
