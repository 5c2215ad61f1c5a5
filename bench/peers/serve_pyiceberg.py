"""PyIceberg plans scans of a table, for the bench: a command a line in, an answer a line out. It reports its own times."""

import json
import os
import sys
import time

from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan
from pyiceberg.table import StaticTable


def plan(metadata, partition=None, start=0, end=0):
    """All files, or those that may hold the offsets of a log's partition; the table is opened anew each time."""

    def work():
        table = StaticTable.from_metadata(metadata)
        if partition is None:
            return len(list(table.scan().plan_files()))
        offset = "_kafka_offset"
        rows = And(EqualTo("_kafka_partition", partition), GreaterThanOrEqual(offset, start), LessThan(offset, end))
        return len(list(table.scan(row_filter=rows).plan_files()))

    cpu, wall = time.process_time(), time.perf_counter()
    files = work()
    return {
        "wall": (time.perf_counter() - wall) * 1000,
        "cpu": (time.process_time() - cpu) * 1000,
        "bytes": 0,
        "rows": files,
    }


commands = {"plan": plan}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    command = json.loads(line)
    answers.write(json.dumps(commands[command.pop("command")](**command)) + "\n")
    answers.flush()
