"""Applies PyIceberg's own transforms to every row of every data file and compares with the partition in the manifest.

usage: check_partitions.py FOLDER      prints {"rows": N, "wrong": [...]}
"""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import StaticTable
from pyiceberg.types import DateType, TimestampType, TimestamptzType, TimeType, UUIDType


def internal(column, kind):
    """Values as the transforms take them: days, microseconds, UUID bytes."""
    if isinstance(kind, (TimestampType, TimestamptzType)):
        return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    if isinstance(kind, DateType):
        return column.cast(pa.int32()).to_pylist()
    if isinstance(kind, TimeType):
        return column.cast(pa.int64()).to_pylist()
    if isinstance(kind, UUIDType) and isinstance(column.type, pa.ExtensionType):
        return pa.chunked_array([chunk.storage for chunk in column.chunks]).to_pylist()
    return column.to_pylist()


def plain(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def main():
    table = StaticTable.from_metadata("file://" + sys.argv[1])
    schema = table.schema()
    wrong, rows = [], 0
    for task in table.scan().plan_files():
        spec = table.specs()[task.file.spec_id]
        data = pq.read_table(task.file.file_path.removeprefix("file://"))
        rows += data.num_rows
        for position, field in enumerate(spec.fields):
            source = schema.find_field(field.source_id)
            apply = field.transform.transform(source.field_type)
            stated = task.file.partition[position]
            for value in internal(data.column(source.name), source.field_type):
                own = apply(value)
                # Python's integers have no end: what does not fit the type cannot be stated, and stays at its edge.
                if isinstance(own, int) and own < -(2**63):
                    own = -(2**63)
                if plain(own) != plain(stated):
                    wrong.append(f"{field.name}: {plain(value)} gives {plain(own)}, the manifest says {plain(stated)}")
    print(json.dumps({"rows": rows, "wrong": wrong}))


main()
