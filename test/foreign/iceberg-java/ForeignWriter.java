import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DataFiles;
import org.apache.iceberg.DeleteFile;
import org.apache.iceberg.HasTableOperations;
import org.apache.iceberg.PartitionKey;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.PartitionSpecParser;
import org.apache.iceberg.Schema;
import org.apache.iceberg.SchemaParser;
import org.apache.iceberg.SingleValueParser;
import org.apache.iceberg.StructLike;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.InternalRecordWrapper;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.parquet.GenericParquetWriter;
import org.apache.iceberg.deletes.EqualityDeleteWriter;
import org.apache.iceberg.expressions.Literal;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.parquet.Parquet;
import org.apache.iceberg.shaded.com.fasterxml.jackson.databind.JsonNode;
import org.apache.iceberg.shaded.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.iceberg.shaded.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.DateTimeUtil;

/**
 * Does to the tables of a REST catalog what no SQL says, through Iceberg's own library: equality deletes, columns with defaults, types
 * that SQL does not have.
 *
 * <p>usage: ForeignWriter URI, then a request a line, a JSON object with the members `do`, `table` and what the method of that name takes.
 * Answers each with a line: [] or {"error": message}. Ends with its input.
 */
public final class ForeignWriter {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Catalog catalog;

  private ForeignWriter(Catalog catalog) {
    this.catalog = catalog;
  }

  public static void main(String[] args) throws IOException {
    // Libraries print where they like: the answers have the real output for themselves.
    PrintStream answers = System.out;
    System.setOut(System.err);
    Map<String, String> properties =
        Map.of("type", "rest", "uri", args[0], "io-impl", "org.apache.iceberg.hadoop.HadoopFileIO");
    ForeignWriter writer = new ForeignWriter(CatalogUtil.buildIcebergCatalog("foreign", properties, new Configuration()));
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      try {
        writer.answer(JSON.readTree(line));
        answers.println("[]");
      } catch (Exception error) {
        ObjectNode failure = JSON.createObjectNode();
        answers.println(failure.put("error", String.valueOf(error)));
      }
    }
    System.exit(0);
  }

  private void answer(JsonNode request) throws IOException {
    TableIdentifier table = TableIdentifier.parse(request.get("table").asText());
    switch (request.get("do").asText()) {
      case "create" -> create(table, request);
      case "append" -> append(catalog.loadTable(table), request);
      case "equalityDelete" -> equalityDelete(catalog.loadTable(table), request);
      case "addColumn" -> addColumn(catalog.loadTable(table), request);
      case "setSchema" -> setSchema(catalog.loadTable(table), request.get("id").asInt());
      default -> throw new IllegalArgumentException("no such request: " + request);
    }
  }

  /** `schema` and, perhaps, `spec` in the JSON of metadata; `location`; `properties`. */
  private void create(TableIdentifier table, JsonNode request) {
    Schema schema = SchemaParser.fromJson(request.get("schema"));
    Catalog.TableBuilder builder = catalog.buildTable(table, schema).withLocation(request.get("location").asText());
    if (request.has("spec")) builder.withPartitionSpec(PartitionSpecParser.fromJson(schema, request.get("spec")));
    request.get("properties").fields().forEachRemaining(entry -> builder.withProperty(entry.getKey(), entry.getValue().asText()));
    builder.create();
  }

  /** `rows`: objects of values in the JSON of single values, all of one partition. */
  private void append(Table table, JsonNode request) throws IOException {
    List<Record> rows = records(table.schema(), request.get("rows"));
    PartitionSpec spec = table.spec();
    PartitionKey key = new PartitionKey(spec, table.schema());
    key.partition(new InternalRecordWrapper(table.schema().asStruct()).wrap(rows.get(0)));
    DataWriter<Record> writer =
        Parquet.writeData(newFile(table))
            .forTable(table)
            .createWriterFunc((schema, type) -> GenericParquetWriter.create(schema, type))
            .overwrite()
            .withSpec(spec)
            .withPartition(spec.isUnpartitioned() ? null : key)
            .build();
    try (writer) {
      rows.forEach(writer::write);
    }
    DataFile file = writer.toDataFile();
    table.newAppend().appendFile(file).commit();
  }

  /** Rows that are like one of `rows` in `columns`; in one partition only, where `partition` names it as paths do (`city=Oslo`). */
  private void equalityDelete(Table table, JsonNode request) throws IOException {
    List<String> columns = new ArrayList<>();
    request.get("columns").forEach(column -> columns.add(column.asText()));
    Schema schema = table.schema().select(columns);
    int[] ids = columns.stream().mapToInt(column -> table.schema().findField(column).fieldId()).toArray();
    PartitionSpec spec = request.has("partition") ? table.spec() : unpartitioned(table);
    StructLike partition = request.has("partition") ? DataFiles.data(spec, request.get("partition").asText()) : null;
    EqualityDeleteWriter<Record> writer =
        Parquet.writeDeletes(newFile(table))
            .forTable(table)
            .rowSchema(schema)
            .createWriterFunc((fields, type) -> GenericParquetWriter.create(fields, type))
            .overwrite()
            .equalityFieldIds(ids)
            .withSpec(spec)
            .withPartition(partition)
            .buildEqualityWriter();
    try (writer) {
      records(schema, request.get("rows")).forEach(writer::write);
    }
    DeleteFile file = writer.toDeleteFile();
    table.newRowDelta().addDeletes(file).commit();
  }

  private static PartitionSpec unpartitioned(Table table) {
    return table.specs().values().stream()
        .filter(PartitionSpec::isUnpartitioned)
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("name a partition: no spec of the table is without fields"));
  }

  /** `name`, in `parent` where there is one; `type`; `default`, as of single values. */
  private void addColumn(Table table, JsonNode request) {
    var type = Types.fromPrimitiveString(request.get("type").asText());
    Object value = SingleValueParser.fromJson(type, request.get("default"));
    Literal<?> literal = Literal.of(String.valueOf(value)).to(type);
    if (value instanceof Long || value instanceof Integer || value instanceof Boolean) literal = literalOf(value).to(type);
    String parent = request.has("parent") ? request.get("parent").asText() : null;
    table.updateSchema().addColumn(parent, request.get("name").asText(), type, null, literal).commit();
  }

  /** Makes an earlier schema of the table the current one. */
  private static void setSchema(Table table, int id) {
    TableOperations operations = ((HasTableOperations) table).operations();
    TableMetadata present = operations.current();
    operations.commit(present, TableMetadata.buildFrom(present).setCurrentSchema(id).build());
  }

  private static Literal<?> literalOf(Object value) {
    if (value instanceof Integer number) return Literal.of(number);
    if (value instanceof Long number) return Literal.of(number);
    return Literal.of((Boolean) value);
  }

  private static List<Record> records(Schema schema, JsonNode rows) {
    List<Record> records = new ArrayList<>();
    for (JsonNode row : rows) {
      Record record = GenericRecord.create(schema);
      for (Types.NestedField field : schema.columns()) {
        JsonNode value = row.get(field.name());
        if (value != null && !value.isNull()) record.setField(field.name(), valueOf(field, value));
      }
      records.add(record);
    }
    return records;
  }

  private static Object valueOf(Types.NestedField field, JsonNode json) {
    return switch (field.type().typeId()) {
      // JSON has no NaN and no negative zero, and its zero is whole: these come as text.
      case FLOAT -> Float.parseFloat(json.asText());
      case DOUBLE -> Double.parseDouble(json.asText());
      default -> generic(field, SingleValueParser.fromJson(field.type(), json));
    };
  }

  /** What the reader of single values gives, as the writer of records takes it. */
  private static Object generic(Types.NestedField field, Object value) {
    return switch (field.type().typeId()) {
      case DATE -> DateTimeUtil.dateFromDays((Integer) value);
      case TIME -> DateTimeUtil.timeFromMicros((Long) value);
      case TIMESTAMP -> {
        var time = DateTimeUtil.timestampFromMicros((Long) value);
        yield ((Types.TimestampType) field.type()).shouldAdjustToUTC() ? time.atOffset(java.time.ZoneOffset.UTC) : time;
      }
      case TIMESTAMP_NANO -> {
        var time = DateTimeUtil.timestampFromNanos((Long) value);
        yield ((Types.TimestampNanoType) field.type()).shouldAdjustToUTC() ? time.atOffset(java.time.ZoneOffset.UTC) : time;
      }
      case FIXED -> org.apache.iceberg.util.ByteBuffers.toByteArray((java.nio.ByteBuffer) value);
      default -> value;
    };
  }

  private static OutputFile newFile(Table table) {
    return table.io().newOutputFile(table.locationProvider().newDataLocation(UUID.randomUUID() + ".parquet"));
  }
}
