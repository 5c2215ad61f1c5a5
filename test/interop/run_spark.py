"""Runs SQL with Spark and Iceberg, as they come: the vectorised reader is on.

usage: run_spark.py JAR FOLDER < STATEMENTS       JAR: iceberg-spark-runtime; STATEMENTS: a JSON list of SQL texts

The tables of FOLDER are the catalog `lake`. `{path:NAME}` in a statement becomes a view of the table in FOLDER/NAME, opened
by its path alone. Prints, as the last line, a JSON list: of each statement its rows, as text, or {"error": message}.
"""

import json
import re
import sys

from pyspark.sql import SparkSession

jar, folder = sys.argv[1:]
builder = SparkSession.builder.master("local[2]")
settings = {
    "spark.jars": jar,
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.lake.type": "hadoop",
    "spark.sql.catalog.lake.warehouse": "file://" + folder,
}
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")


def view(match):
    name = re.sub("[^a-z0-9]", "_", match[1])
    spark.read.format("iceberg").load(f"{folder}/{match[1]}").createOrReplaceTempView(name)
    return name


def answer(statement):
    try:
        text = re.sub(r"\{path:([^}]+)\}", view, statement)
        return [[str(value) for value in row] for row in spark.sql(text).collect()]
    except Exception as error:
        return {"error": str(error)[:2000]}


answers = [answer(statement) for statement in json.load(sys.stdin)]
print()
print(json.dumps(answers))
