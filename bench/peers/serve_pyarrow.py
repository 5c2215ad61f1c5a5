"""pyarrow on one thread, for the benches: a command a line in, an answer a line out. It reports its own times."""

import json
import os
import sys
import time

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

pa.set_cpu_count(1)
pa.set_io_thread_count(1)
tables = {}
files = {}


def load_table(name, path):
    with open(path, "rb") as file:
        tables[name] = pa.ipc.open_file(pa.py_buffer(file.read())).read_all().combine_chunks()
    return {"rows": tables[name].num_rows}


def load_file(name, path):
    with open(path, "rb") as file:
        files[name] = pa.py_buffer(file.read())
    return {"bytes": files[name].size}


def write(table, options, path=None):
    """`options` are write_table's."""
    sink = pa.BufferOutputStream()
    answer = timed(lambda: pq.write_table(tables[table], sink, **options))
    buffer = sink.getvalue()
    if path is not None:
        with open(path, "wb") as file:
            file.write(buffer)
    return {**answer, "bytes": buffer.size}


def read(file):
    rows = 0

    def work():
        nonlocal rows
        rows = pq.read_table(pa.BufferReader(files[file]), use_threads=False).num_rows

    return {**timed(work), "rows": rows}


def timed(work):
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {"wall": (time.perf_counter() - wall) * 1000, "cpu": (time.process_time() - cpu) * 1000}


commands = {"load_table": load_table, "load_file": load_file, "write": write, "read": read}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    command = json.loads(line)
    answers.write(json.dumps(commands[command.pop("command")](**command)) + "\n")
    answers.flush()
