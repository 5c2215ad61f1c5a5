"""Reads an Iceberg table by its folder, or a file with an Arrow stream, with an engine that shares no code with us, and
prints its rows.

usage: read_table.py ENGINE FOLDER      ENGINE: pyiceberg | duckdb
       read_table.py ENGINE FILE        ENGINE: arrow | arrow-duckdb

Prints one JSON array per row, sorted by (_kafka_partition, _kafka_offset), after a line of column names. Every value is
in a form that loses nothing: integers and times as decimal text of what is stored, floats as the hex of their bits,
bytes as hex.
"""

import datetime
import decimal
import importlib
import json
import pathlib
import struct
import sys
import uuid

import pyarrow as pa


def pyiceberg_table(folder):
    from pyiceberg.table import StaticTable

    return StaticTable.from_metadata("file://" + folder).scan().to_arrow()


def duckdb_table(folder):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET arrow_lossless_conversion = true")
    # By file: the wheels bring them, and LOAD by name would look where INSTALL puts its downloads.
    for extension in ("avro", "httpfs", "iceberg"):
        module = importlib.import_module(f"duckdb_extension_{extension}")
        [file] = pathlib.Path(module.__path__[0]).rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    return connection.execute("SELECT * FROM iceberg_scan(?)", [folder]).to_arrow_table()


def arrow_table(file):
    with pa.OSFile(file) as source:
        table = pa.ipc.open_stream(source).read_all()
    table.validate(full=True)
    return table


def arrow_through_duckdb(file):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET arrow_lossless_conversion = true")
    connection.register("stream", arrow_table(file))
    return connection.execute("SELECT * FROM stream").to_arrow_table()


READERS = {
    "pyiceberg": pyiceberg_table,
    "duckdb": duckdb_table,
    "arrow": arrow_table,
    "arrow-duckdb": arrow_through_duckdb,
}


def plain(column):
    """A column as a list of JSON values."""
    kind = column.type
    if isinstance(kind, pa.ExtensionType):
        return plain(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    if pa.types.is_timestamp(kind):
        return plain(column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()))
    if pa.types.is_time(kind):
        return plain(column.cast(pa.time64("us")).cast(pa.int64()))
    if pa.types.is_date(kind):
        return plain(column.cast(pa.date32()).cast(pa.int32()))
    return [value(item, kind) for item in column.to_pylist()]


def value(item, kind):
    if item is None or isinstance(item, bool):
        return item
    if pa.types.is_float32(kind):
        return struct.pack(">f", item).hex()
    if isinstance(item, float):
        return struct.pack(">d", item).hex()
    if isinstance(item, decimal.Decimal):
        return format(item, "f")
    if isinstance(item, int):
        return str(item)
    if isinstance(item, uuid.UUID):
        return item.hex
    if isinstance(item, (bytes, bytearray)):
        return bytes(item).hex()
    if isinstance(item, datetime.date):
        return str((item - datetime.date(1970, 1, 1)).days)
    if pa.types.is_map(kind):
        return [[value(key, kind.key_type), value(held, kind.item_type)] for key, held in item]
    if isinstance(item, list):
        return [value(element, kind.value_type) for element in item]
    if isinstance(item, dict):
        return [value(item[kind.field(i).name], kind.field(i).type) for i in range(kind.num_fields)]
    return str(item)


def main():
    engine, place = sys.argv[1:]
    table = READERS[engine](place)
    names = table.column_names
    columns = [plain(table.column(name)) for name in names]
    rows = sorted(zip(*columns), key=lambda row: (int(row[names.index("_kafka_partition")]), int(row[names.index("_kafka_offset")])))
    print(json.dumps(names))
    for row in rows:
        print(json.dumps(row))


main()
