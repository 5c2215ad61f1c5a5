"""Checks Parquet files of ours with pyarrow, or rewrites them with it.

usage: check_parquet.py read FOLDER       Every NAME.parquet with its NAME.json: {fields, columns, statistics?}.
       check_parquet.py rewrite FOLDER    Every NAME.parquet, once for each NAME.*.options.json beside it, to NAME.*.out.parquet.

`fields` are Iceberg's, values as test/parquet/plain.ts writes them. Prints one JSON object: {checked, wrong: [text]}.
"""

import decimal
import json
import pathlib
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def nan_or(number, form):
    return "nan" if number != number else struct.pack(form, number).hex()


def plain(array, kind):
    """The values of an Arrow array of an Iceberg type, without loss."""
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks > 0 else pa.array([], array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    valid = array.is_valid().to_pylist()
    if isinstance(kind, dict):
        if kind["type"] == "struct":
            members = [plain(array.field(i), field["type"]) for i, field in enumerate(kind["fields"])]
            return [[member[row] for member in members] if valid[row] else None for row in range(len(array))]
        offsets = array.offsets.to_pylist()
        if kind["type"] == "list":
            items = plain(array.values, kind["element"])
        else:
            items = [list(pair) for pair in zip(plain(array.keys, kind["key"]), plain(array.items, kind["value"]))]
        return [items[offsets[row] : offsets[row + 1]] if valid[row] else None for row in range(len(array))]
    return [value if ok else None for ok, value in zip(valid, leaf(array, kind))]


def leaf(array, kind):
    stored = array.type
    if kind == "boolean":
        return array.to_pylist()
    if kind in ("float", "double"):
        form = ">f" if kind == "float" else ">d"
        return [None if item is None else nan_or(item, form) for item in array.to_pylist()]
    if pa.types.is_decimal(stored):
        unscaled = lambda item: str(int(item.scaleb(stored.scale, decimal.Context(prec=100))))
        return [None if item is None else unscaled(item) for item in array.to_pylist()]
    if pa.types.is_string(stored) or pa.types.is_large_string(stored):
        array = array.cast(pa.binary())
        stored = array.type
    if pa.types.is_binary(stored) or pa.types.is_fixed_size_binary(stored):
        return [None if item is None else item.hex() for item in array.to_pylist()]
    if pa.types.is_date32(stored):
        array = array.view(pa.int32())
    elif pa.types.is_timestamp(stored):
        wanted = "ns" if kind.endswith("_ns") else "us"
        if stored.unit != wanted:
            raise ValueError(f"{kind} came as {stored}")
        if (stored.tz is not None) != kind.startswith("timestamptz"):
            raise ValueError(f"{kind} came as {stored}")
        array = array.view(pa.int64())
    elif pa.types.is_time(stored):
        if stored.unit != "us":
            raise ValueError(f"{kind} came as {stored}")
        array = array.view(pa.int64())
    return [None if item is None else str(item) for item in array.to_pylist()]


def compare(name, folder):
    wrong = []
    expected = json.loads((folder / f"{name}.json").read_text())
    file = pq.ParquetFile(folder / f"{name}.parquet", page_checksum_verification=True)
    table = file.read(use_threads=False)
    for index, field in enumerate(expected["fields"]):
        got = plain(table.column(index), field["type"])
        want = expected["columns"][index]
        if table.schema.field(index).name != field["name"]:
            wrong.append(f"{name}: column {index} is named {table.schema.field(index).name}")
        if table.schema.field(index).nullable == field["required"]:
            wrong.append(f"{name}: column {field['name']} is required the wrong way")
        if (table.schema.field(index).metadata or {}).get(b"PARQUET:field_id") != str(field["id"]).encode():
            wrong.append(f"{name}: column {field['name']} has another field id")
        if got != want:
            row = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), None)
            shown = f"{len(got)} rows, not {len(want)}" if row is None else f"row {row}: {got[row]}, not {want[row]}"
            wrong.append(f"{name}: {json.dumps(field)} {shown}")
    for stats in expected.get("statistics", []):
        wrong.extend(f"{name}: {flaw}" for flaw in check_statistics(file.metadata, stats))
    return wrong


def check_statistics(metadata, want):
    """want: {rowGroup, column, type, nullCount, values, min, max, boundBytes}; bounds are null where there are none."""
    column = metadata.row_group(want["rowGroup"]).column(want["column"])
    where = f"row group {want['rowGroup']}, {column.path_in_schema}"
    if column.num_values != want["values"]:
        yield f"{where}: {column.num_values} values, not {want['values']}"
    stats = column.statistics
    if stats is None:
        yield f"{where}: no statistics"
        return
    if not stats.has_null_count or stats.null_count != want["nullCount"]:
        yield f"{where}: {stats.null_count} nulls, not {want['nullCount']}"
    if stats.num_values != want["values"] - want["nullCount"]:
        yield f"{where}: statistics of {stats.num_values} values"
    if stats.has_min_max != (want["min"] is not None):
        yield f"{where}: has_min_max is {stats.has_min_max}"
        return
    if not stats.has_min_max:
        return
    for side, raw in (("min", stats.min_raw), ("max", stats.max_raw)):
        got = raw_bound(raw, want["type"])
        if not fits(got, want[side], want["type"], side, want["boundBytes"]):
            yield f"{where}: {side} {got}, not {want[side]}"


def fits(got, want, kind, side, limit):
    """Equal, or, for bytes longer than the limit, a bound of at most that many bytes on the right side."""
    if kind not in ("string", "binary") or len(want) <= 2 * limit:
        return got == want
    short, full = bytes.fromhex(got), bytes.fromhex(want)
    if kind == "string":
        short.decode()
    if short == full:
        return side == "max"  # Nothing above it can be cut.
    return len(short) <= limit and (short < full if side == "min" else short > full)


def raw_bound(raw, kind):
    if isinstance(raw, bool):
        return raw
    if kind == "float":
        return nan_or(raw, ">f")
    if kind == "double":
        return nan_or(raw, ">d")
    if isinstance(raw, (bytes, bytearray)):
        if kind.startswith("decimal"):
            return str(int.from_bytes(raw, "big", signed=True))
        return bytes(raw).hex()
    return str(raw)


def rewrite(folder):
    done = 0
    for options in sorted(folder.glob("*.options.json")):
        stem = options.name.removesuffix(".options.json")
        source = folder / f"{stem.split('.')[0]}.parquet"
        pq.write_table(pq.read_table(source), folder / f"{stem}.out.parquet", **json.loads(options.read_text()))
        done += 1
    return {"checked": done, "wrong": []}


def main():
    mode, name = sys.argv[1:]
    folder = pathlib.Path(name)
    if mode == "rewrite":
        print(json.dumps(rewrite(folder)))
        return
    wrong = []
    names = sorted(file.stem for file in folder.glob("*.json"))
    for each in names:
        try:
            wrong.extend(compare(each, folder))
        except Exception as error:
            wrong.append(f"{each}: {type(error).__name__}: {error}")
    print(json.dumps({"checked": len(names), "wrong": wrong}))


main()
