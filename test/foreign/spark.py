"""Spark with Iceberg, as they come: the vectorised reader is on. One process for as many statements as there are.

usage: spark.py JAR FOLDER SETTINGS < STATEMENTS     JAR: iceberg-spark-runtime; SETTINGS: more of Spark's, a JSON object;
                                                     STATEMENTS: SQL, each a JSON text on a line

`{path:NAME}` in a statement becomes a view of the table in FOLDER/NAME, opened by its path alone. Answers each statement with
a line: a JSON list of its rows, every value as text, or {"error": message}. Ends with its input.

Instead of a statement:
{"orphans": TABLE, "olderThanMs": MS} removes the orphans of a table, and answers their locations.
{"stream": TABLE, "into": NAME, "options": {…}} begins to read a table as a stream, into a view in memory.
{"await": NAME} waits until a stream has read what there was when it was asked, and answers the number of batches that had rows.
"""

import json
import os
import re
import sys

from pyspark.sql import SparkSession

jar, folder, more = sys.argv[1:]
# Java prints where it likes: the answers have the real output for themselves.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
settings = {
    "spark.jars": jar,
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
}
builder = SparkSession.builder.master("local[2]")
for name, value in (settings | json.loads(more)).items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")


def view(match):
    name = re.sub("[^a-z0-9]", "_", match[1])
    spark.read.format("iceberg").load(f"{folder}/{match[1]}").createOrReplaceTempView(name)
    return name


def remove_orphans(table, older_than_ms):
    # The action, since the procedure refuses what is younger than a day.
    jvm, session = spark._jvm, spark._jsparkSession
    sessions = jvm.org.apache.spark.sql
    # Since Spark 4 it is another class that has an active one, which names of catalogs are resolved by.
    (sessions.classic.SparkSession if spark.version >= "4" else sessions.SparkSession).setActiveSession(session)
    loaded = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(session, table)
    action = jvm.org.apache.iceberg.spark.actions.SparkActions.get(session).deleteOrphanFiles(loaded)
    return [[str(location)] for location in action.olderThan(older_than_ms).execute().orphanFileLocations()]


streams = {}


def start_stream(table, name, options):
    rows = spark.readStream.format("iceberg").options(**options).load(table)
    streams[name] = rows.writeStream.format("memory").queryName(name).trigger(processingTime="200 milliseconds").start()
    return []


def await_stream(name):
    streams[name].processAllAvailable()
    return [[str(sum(batch["numInputRows"] > 0 for batch in streams[name].recentProgress))]]


def answer(statement):
    try:
        if isinstance(statement, dict) and "stream" in statement:
            return start_stream(statement["stream"], statement["into"], statement["options"])
        if isinstance(statement, dict) and "await" in statement:
            return await_stream(statement["await"])
        if isinstance(statement, dict):
            return remove_orphans(statement["orphans"], statement["olderThanMs"])
        text = re.sub(r"\{path:([^}]+)\}", view, statement)
        return [[str(value) for value in row] for row in spark.sql(text).collect()]
    except Exception as error:
        return {"error": str(error)[:2000]}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), file=answers)
