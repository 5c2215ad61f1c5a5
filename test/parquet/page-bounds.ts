import type { IcebergSchema } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import type { MetricValue } from '@moulin/format'
import { expect } from 'vitest'
import { leafSlots, slotBounds } from './leaf-slots.ts'
import { doubleText, floatText, fromBigEndian, hex, isWideDecimal } from './plain.ts'
import type { Plain, PlainTable } from './plain.ts'

export function plainMetric(type: string, value: MetricValue | undefined): Plain {
  if (value === undefined) return null
  if (typeof value === 'boolean') return value
  if (type === 'float') return floatText(value as number)
  if (type === 'double') return doubleText(value as number)
  if (typeof value !== 'object') return String(value)
  return isWideDecimal(type) ? String(fromBigEndian(value)) : hex(value)
}

/** Whether a bound says the truth: equal, or for strings and binary a cut one on the right side. */
export function boundHolds(type: string, side: 'min' | 'max', stated: Plain, actual: Plain): boolean {
  if (stated === actual) return true
  if (type !== 'string' && type !== 'binary') return false
  return side === 'min' ? (stated as string) < (actual as string) : (stated as string) > (actual as string)
}

/** Compares the bounds of every page of every leaf with the values of its rows. Returns how many it compared. */
export async function expectPageBounds(bytes: Uint8Array, schema: IcebergSchema, table: PlainTable): Promise<number> {
  const file = await openParquet(bytesRangeReader(bytes, 'bounds.parquet'))
  let compared = 0
  for (const [rowGroup, { firstRow, rowCount }] of file.rowGroups.entries()) {
    for (const { id, path, type } of leafSlots(schema, table, 0, 0)) {
      const pages = await file.pageBounds({ rowGroup, fieldId: id, type })
      if (pages === undefined) continue
      let next = 0
      for (const { start, end, min, max, nullCount } of pages) {
        expect(start, path).toBe(next)
        next = end
        const leaf = leafSlots(schema, table, firstRow + start, firstRow + end).find((each) => each.id === id)!
        const actual = slotBounds(type, leaf.slots)
        const where = `${path}, rows ${start} to ${end} of row group ${rowGroup}`
        if (nullCount !== undefined) expect(nullCount, `nulls of ${where}`).toBe(actual.nullCount)
        const stated = { min: plainMetric(type, min), max: plainMetric(type, max) }
        for (const side of ['min', 'max'] as const) {
          if (stated[side] === null) continue
          const holds = boundHolds(type, side, stated[side], actual[side])
          expect(holds, `${side} of ${where}: ${String(stated[side])}, not ${String(actual[side])}`).toBe(true)
          compared++
        }
      }
      expect(next, path).toBe(rowCount)
    }
  }
  return compared
}
