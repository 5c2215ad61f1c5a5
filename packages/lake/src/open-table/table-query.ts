import { columnsOf, invalid, isKind, shown, unsupported } from '@moulin/core'
import type { Expression, Field, IcebergField, ScanOptions, TableMetadata, Type } from '@moulin/core'
import { bindExpression, currentSchema, typeOfIceberg } from '@moulin/iceberg'
import type { Predicate } from '@moulin/iceberg'
import { metadataColumns } from './metadata-columns.ts'
import type { MetadataColumn } from './metadata-columns.ts'

/** What a scan of a table gives, resolved against the columns of the schema that it is read with. */
export interface TableQuery {
  /** What is shown, in order. */
  readonly shown: readonly Field[]
  readonly where: Expression | undefined
  readonly predicate: Predicate
  /** What rows are judged by. */
  readonly judged: readonly IcebergField[]
  /** What else is read of a file. */
  readonly rest: readonly IcebergField[]
  /** What is made of where its rows are. */
  readonly made: readonly MetadataColumn[]
}

/**
 * @throws `invalid` code `UNKNOWN_COLUMN`, or `EXPRESSION` for a wrong literal; `unsupported` code `COLUMN_TYPE` for a column that is
 * asked for, in `columns` or by `where`, and of a type that we have no values of.
 */
export function tableQuery(metadata: TableMetadata, { columns, where }: ScanOptions, table: string): TableQuery {
  const { fields } = currentSchema(metadata)
  const extras = metadataColumns(metadata, fields)
  const known = new Map<string, IcebergField>([...fields, ...extras].map((field) => [field.name, field]))
  const named = (name: string): IcebergField => {
    const field = known.get(name)
    if (field !== undefined) return field
    const message = `Table ${table} has no column ${shown(name)}; the columns are ${[...known.keys()].join(', ')}.`
    throw invalid('UNKNOWN_COLUMN', message, { context: { table, column: shown(name) } })
  }
  const readable = (field: IcebergField): Field => ({ name: field.name, type: typeOf(field, fields, table) })

  const names = columns ?? fields.map(({ name }) => name)
  if (!Array.isArray(names)) throw invalid('COLUMNS', `columns is ${shown(names)}; it must be an array of names.`)
  const wanted = [...new Set(names)].map(named)
  const predicate = bindExpression(where, fields)
  const judged = where === undefined ? [] : [...columnsOf(where)].map(named)
  judged.forEach(readable)
  const made = extras.filter((column) => wanted.includes(column))
  const isRead = (field: IcebergField): boolean => !made.some((column) => column === field) || isStored(field)
  return {
    shown: (names as readonly string[]).map((name) => readable(named(name))),
    where,
    predicate,
    judged,
    rest: wanted.filter((field) => isRead(field) && !judged.includes(field)).map(plain),
    made,
  }
}

const isStored = (field: IcebergField): boolean => 'isStored' in field && field.isStored === true

/** As it may go to another thread. */
function plain(field: IcebergField): IcebergField {
  if (!('make' in field)) return field
  const { id, name, required, type } = field
  return { id, name, required, type }
}

function typeOf({ name, type }: IcebergField, fields: readonly IcebergField[], table: string): Type {
  try {
    return typeOfIceberg(type)
  } catch (cause) {
    if (!isKind(cause, 'unsupported')) throw cause
    const others = fields.filter((field) => isReadable(field)).map((field) => field.name)
    const message = `Column ${name} of table ${table} cannot be read: ${(cause as Error).message} Ask for others by columns: ${others.join(', ')}.`
    throw unsupported('COLUMN_TYPE', message, { context: { table, column: name }, cause })
  }
}

function isReadable({ type }: IcebergField): boolean {
  try {
    typeOfIceberg(type)
    return true
  } catch (error) {
    if (isKind(error, 'unsupported')) return false
    throw error
  }
}
