import { type Column, takeRows, valueArrays } from '@moulin/core'
import { bigIntBytes } from '../../values/scalars.ts'
import type { MetricValue } from '../file-writer.ts'
import { primitiveType, type PrimitiveType, storageOf } from '../primitive-type.ts'
import { nullColumn } from './null-column.ts'

/**
 * A column of single values, stored as the type wants it. Each is what a bound of the type would be: a decimal is its unscaled `bigint`
 * whatever its precision, text is UTF-8; of integers, numbers will do.
 */
export function scalarColumn(type: PrimitiveType, values: readonly (MetricValue | null)[]): Column {
  const { length } = values
  const { storage, width = 0 } = storageOf(type)
  const base = { length, validity: validityOf(values) }
  const bytesOf = (value: MetricValue | null): Uint8Array =>
    typeof value === 'bigint' ? bigIntBytes(value, width) : ((value as Uint8Array | null) ?? new Uint8Array(0))
  switch (storage) {
    case 'bytes': {
      const data = Buffer.concat(values.map(bytesOf))
      const [starts, ends] = [new Int32Array(length), new Int32Array(length)]
      for (let row = 0, at = 0; row < length; row++) {
        starts[row] = at
        ends[row] = at += bytesOf(values[row]!).length
      }
      return { storage, ...base, data: new Uint8Array(data), starts, ends }
    }
    case 'fixed': {
      const data = new Uint8Array(length * width)
      for (const [row, value] of values.entries()) data.set(bytesOf(value), row * width)
      return { storage, ...base, width, values: data }
    }
    case 'int64':
      return { storage, ...base, values: BigInt64Array.from(values, (value) => BigInt((value ?? 0) as bigint)) }
    default: {
      const numbers = new valueArrays[storage as 'int32'](length)
      for (const [row, value] of values.entries()) numbers[row] = Number(value ?? 0)
      return { storage, ...base, values: numbers } as Column
    }
  }
}

/** The column of a primitive type that has one value in every row, or null in each. */
export function constantColumn(type: string, value: MetricValue | null, length: number): Column {
  if (value === null) return nullColumn(type, length)
  return takeRows(scalarColumn(primitiveType(type), [value]), new Int32Array(length))
}

/** Undefined where no value is null. */
export function validityOf(values: readonly unknown[]): Uint8Array | undefined {
  if (!values.includes(null)) return undefined
  const validity = new Uint8Array((values.length + 7) >> 3)
  for (const [row, value] of values.entries()) if (value !== null) validity[row >> 3]! |= 1 << (row & 7)
  return validity
}
