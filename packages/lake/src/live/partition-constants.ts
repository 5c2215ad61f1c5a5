import { parsePrimitive, typeName, unsupported } from '@moulin/core'
import type { Column, IcebergField } from '@moulin/core'
import { constantColumn } from '@moulin/format'
import type { ParquetFile } from '@moulin/format'
import { datumOf, partitionValueAs } from '@moulin/iceberg'
import type { Datum, ListedFile, PartitionValue } from '@moulin/iceberg'
import { isMapped } from './data-files.ts'

type Whole = Pick<ParquetFile, 'fields' | 'rowGroups' | 'read' | 'pageBounds' | 'dictionary' | 'mightContain'>

/**
 * The file with the columns, and members of structs, that it lacks and whose value its partition tells, as files have them that were added
 * to a table out of Hive's folders: null where that is null, whatever their initial default. In a file without field ids what the partition
 * tells comes before a column of that name. Itself where there are none.
 * @throws `unsupported` code `PARTITION_COLUMN`, while it reads, for such a column of a type that its value cannot have been promoted to.
 * Spec: "Column Projection".
 */
export function withPartitionColumns(whole: ParquetFile, { file, spec }: ListedFile): Whole {
  const constants = new Map<number, PartitionValue>()
  for (const [at, { sourceId, transform, source }] of spec.fields.entries()) {
    if (transform.kind === 'identity' && source !== undefined && (!whole.has(sourceId) || isMapped(whole)))
      constants.set(sourceId, file.partition[at] ?? null)
  }
  if (constants.size === 0) return whole
  const isMade = ({ fieldId }: { readonly fieldId: number }): boolean => constants.has(fieldId)
  return {
    fields: whole.fields,
    // To its footer they are null.
    rowGroups: whole.rowGroups.map((group) => ({
      ...group,
      bounds: (fieldId, type) => (isMade({ fieldId }) ? {} : group.bounds(fieldId, type)),
    })),
    async read(request) {
      const { fieldIds } = request
      const wanted = request.types.filter(({ id }) => fieldIds?.includes(id) ?? true)
      const batch = await whole.read({ ...request, types: wanted.filter(({ id }) => !constants.has(id)) })
      const read = new Map(batch.columns.map(({ name, column }) => [name, column]))
      const columns = wanted.map((field) => {
        return { name: field.name, column: withConstants(field, read.get(field.name), batch.length, constants) }
      })
      return { ...batch, columns }
    },
    pageBounds: async (request) => (isMade(request) ? undefined : whole.pageBounds(request)),
    dictionary: async (request) => (constants.has(request.field.id) ? undefined : whole.dictionary(request)),
    mightContain: async (request) => isMade(request) || whole.mightContain(request),
  }
}

/** A struct that is null stays so: its members are not there. */
function withConstants(
  field: IcebergField,
  column: Column | undefined,
  length: number,
  constants: ReadonlyMap<number, PartitionValue>,
): Column {
  const value = constants.get(field.id)
  if (value !== undefined) return constantOf(field, value, length)
  const { type } = field
  if (column?.storage !== 'struct' || typeof type === 'string' || type.type !== 'struct') return column!
  const fields = type.fields.map((member, at) => {
    const { name, column: inner } = column.fields[at]!
    return { name, column: withConstants(member, inner, length, constants) }
  })
  return { ...column, fields }
}

function constantOf({ name, type }: IcebergField, value: PartitionValue, length: number): Column {
  if (typeof type === 'string') {
    const datum = datumAs(value, type)
    if (datum !== undefined) return constantColumn(type, datum, length)
  }
  const message = `Column ${name} is told by the file's partition alone, and what that says is no ${typeName(type)}.`
  throw unsupported('PARTITION_COLUMN', message, { context: { column: name } })
}

/** A file may be listed by a plan of before the column was promoted. */
function datumAs(value: PartitionValue, type: string): Datum | null | undefined {
  if (value === null) return null
  const primitive = parsePrimitive(type)
  const same = primitive === undefined ? undefined : partitionValueAs(value, primitive)
  return same === undefined ? undefined : datumOf(same)
}
