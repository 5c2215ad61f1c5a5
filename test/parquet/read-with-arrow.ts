import type { IcebergField, IcebergType } from '@moulin/core'
import { type Data, DataType, tableFromIPC } from 'apache-arrow'
import { readParquet } from 'parquet-wasm'
import { doubleText, floatText, hex } from './plain.ts'
import type { Plain } from './plain.ts'

/** Reads with parquet-rs. */
export function arrowTable(bytes: Uint8Array, fields: readonly IcebergField[]): Promise<Plain[][]> {
  const stream = readParquet(bytes).intoIPCStream()
  const table = tableFromIPC(stream)
  const columns = fields.map(({ name, type }) => {
    const column = table.getChild(name)
    if (column === null || table.numRows === 0) return []
    return column.data.flatMap((data) => plainValues(type, data))
  })
  return Promise.resolve(columns)
}

/** From Arrow's buffers: its getters lose what does not fit a JavaScript number. */
function plainValues(type: IcebergType, data: Data): Plain[] {
  const { length, offset, nullBitmap, values, valueOffsets } = data
  if (offset !== 0) throw new Error('Arrow data with an offset')
  const isNull = (row: number): boolean =>
    data.nullCount > 0 && nullBitmap.length > 0 && (nullBitmap[row >> 3]! & (1 << (row & 7))) === 0
  const each = (of: (row: number) => Plain): Plain[] =>
    Array.from({ length }, (_, row) => (isNull(row) ? null : of(row)))
  if (typeof type !== 'string') {
    if (type.type === 'struct') {
      const members = type.fields.map((field) => {
        const at = (data.type.children as { name: string }[]).findIndex(({ name }) => name === field.name)
        return plainValues(field.type, data.children[at]!)
      })
      return each((row) => members.map((member) => member[row]!))
    }
    const { key, value } = type.type === 'map' ? type : { key: undefined, value: undefined }
    const entries = data.children[0]!
    const items =
      type.type === 'list'
        ? plainValues(type.element, entries)
        : pairs(plainValues(key!, entries.children[0]!), plainValues(value!, entries.children[1]!))
    return each((row) => items.slice(Number(valueOffsets[row]), Number(valueOffsets[row + 1])))
  }
  const arrow = data.type as DataType
  const numbers = values as ArrayLike<number | bigint>
  if (DataType.isNull(arrow)) return Array.from({ length }, () => null)
  if (DataType.isBool(arrow)) return each((row) => ((numbers[row >> 3] as number) & (1 << (row & 7))) !== 0)
  if (DataType.isFloat(arrow)) {
    return each((row) => (type === 'float' ? floatText : doubleText)(numbers[row] as number))
  }
  if (DataType.isUtf8(arrow) || DataType.isBinary(arrow)) {
    return each((row) => hex((values as Uint8Array).subarray(valueOffsets[row], valueOffsets[row + 1])))
  }
  if (DataType.isFixedSizeBinary(arrow)) {
    const { byteWidth } = arrow
    return each((row) => hex((values as Uint8Array).subarray(row * byteWidth, (row + 1) * byteWidth)))
  }
  if (DataType.isDecimal(arrow)) {
    const words = new Uint32Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength / 4)
    const count = arrow.bitWidth / 32
    return each((row) => {
      let unscaled = 0n
      for (let i = count - 1; i >= 0; i--) unscaled = (unscaled << 32n) | BigInt(words[row * count + i]!)
      return String(BigInt.asIntN(arrow.bitWidth, unscaled))
    })
  }
  return each((row) => String(numbers[row]))
}

function pairs(keys: readonly Plain[], values: readonly Plain[]): Plain[] {
  return keys.map((key, i) => [key, values[i]!])
}
