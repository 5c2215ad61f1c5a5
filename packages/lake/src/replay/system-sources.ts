import { isValid } from '@moulin/core'
import type { Column, ColumnBatch } from '@moulin/core'
import { headerKeySize, nullableSize, varintSize } from '@moulin/format'
import type { BatchFramer } from '@moulin/format'
import { columnOf } from '../places/identity-rows.ts'
import type { SystemColumn } from '../table/system-columns.ts'
import type { TableColumns } from '../table/table-layout.ts'

const NOTHING = new Uint8Array(0)

export type Of<S extends Column['storage']> = Extract<Column, { storage: S }>

/** What a record is made of beside its value columns; undefined where the table has no such column. */
export interface SystemSources {
  readonly key: Of<'bytes'> | undefined
  readonly headers: HeaderSource | undefined
  readonly timestamp: Of<'int64'> | undefined
  readonly timestampType: Of<'int32'> | undefined
  readonly crc: Of<'int32'> | undefined
  readonly state: Of<'bytes'> | undefined
  readonly raw: Of<'bytes'> | undefined
  readonly schemaId: Of<'int32'> | undefined
  readonly keySchemaId: Of<'int32'> | undefined
}

export function systemSources(batch: ColumnBatch, columns: TableColumns): SystemSources {
  const of = <S extends Column['storage']>(name: SystemColumn, storage: S): Of<S> | undefined => {
    const column = columnOf(batch, columns, name)
    return column?.storage === storage ? (column as Of<S>) : undefined
  }
  return {
    key: of('_kafka_key', 'bytes'),
    headers: headerSource(of('_kafka_headers', 'list'), columns.gone.includes('_kafka_headers.element.key')),
    timestamp: of('_kafka_timestamp', 'int64'),
    timestampType: of('_kafka_timestamp_type', 'int32'),
    crc: of('_kafka_crc', 'int32'),
    state: of('_kafka_value_state', 'bytes'),
    raw: of('_kafka_value', 'bytes'),
    schemaId: of('_kafka_schema_id', 'int32'),
    keySchemaId: of('_kafka_key_schema_id', 'int32'),
  }
}

function headerSource(list: Of<'list'> | undefined, lacksKeys: boolean): HeaderSource | undefined {
  if (list?.element.storage !== 'struct') return undefined
  const [key, value] = list.element.fields.map(({ column }) => column)
  return key?.storage === 'bytes' && value?.storage === 'bytes'
    ? new HeaderSource(list, key, value, lacksKeys)
    : undefined
}

/** The headers of rows; a row without a list of them has none. */
export class HeaderSource {
  readonly #list: Of<'list'>
  readonly #key: Of<'bytes'>
  readonly #value: Of<'bytes'>
  /** The table has no keys any more: that none has one is nobody's fault. */
  readonly #lacksKeys: boolean

  constructor(list: Of<'list'>, key: Of<'bytes'>, value: Of<'bytes'>, lacksKeys: boolean) {
    this.#list = list
    this.#key = key
    this.#value = value
    this.#lacksKeys = lacksKeys
  }

  /** Bytes of the row's headers in a record, with their count. */
  sizeOf(row: number): number {
    const start = this.#list.offsets[row]!
    const end = this.#endOf(row)
    let size = varintSize(end - start)
    for (let at = start; at < end; at++) {
      const key = this.#key
      const value = this.#value
      size += isValid(key, at) ? headerKeySize(key.data, key.starts[at]!, key.ends[at]!) : 1
      size += isValid(value, at) ? nullableSize(value.ends[at]! - value.starts[at]!) : 1
    }
    return size
  }

  /** Adds them to the record that the framer is at. A header without a key has an empty one, and that is what is returned. */
  frame(row: number, framer: BatchFramer): string | undefined {
    const start = this.#list.offsets[row]!
    const end = this.#endOf(row)
    let fault: string | undefined
    framer.headerCount(end - start)
    for (let at = start; at < end; at++) {
      const key = this.#key
      const value = this.#value
      if (isValid(key, at)) framer.headerKey(key.data, key.starts[at]!, key.ends[at]!)
      else {
        if (!this.#lacksKeys) fault = `header ${at - start} is null or has no key.`
        framer.headerKey(NOTHING, 0, 0)
      }
      if (isValid(value, at)) framer.bytes(value.data, value.starts[at]!, value.ends[at]!)
      else framer.null()
    }
    return fault
  }

  // A null list's offsets may say anything.
  #endOf(row: number): number {
    return this.#list.offsets[isValid(this.#list, row) ? row + 1 : row]!
  }
}

export function intAt(column: Of<'int32'> | undefined, row: number, none: number): number {
  return column !== undefined && isValid(column, row) ? column.values[row]! : none
}
