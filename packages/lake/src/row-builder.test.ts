import { type Arena } from '@moulin/core'
import type { BatchRun, ColumnBatch } from '@moulin/core'
import { encodeBatch } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { utf8 } from './lake.test-support.ts'
import { emptyTally, RowBuilder } from './row-builder.ts'

const record = (offset: bigint, value: string | null = 'v'): Parameters<typeof encodeBatch>[0]['records'][number] => ({
  offset,
  timestamp: offset,
  key: null,
  value: value === null ? null : utf8(value),
  headers: [],
})

function batch(offsets: readonly bigint[], lastOffset?: bigint): Uint8Array {
  const records = offsets.map((offset) => record(offset))
  return encodeBatch({ baseOffset: offsets[0]!, records, timestampType: 'create', ...(lastOffset && { lastOffset }) })
}

function runOf(batches: Uint8Array, valueSchemaIds: number | readonly number[] = 0): BatchRun {
  return { partition: 4, baseOffset: 0n, nextOffset: 100n, batches, valueSchemaIds }
}

// Bits of the attributes, after the base offset, length, epoch, magic and CRC of a batch.
function withAttributes(bytes: Uint8Array, bits: number): Uint8Array {
  const changed = new Uint8Array(bytes)
  changed[22]! |= bits
  return changed
}

const builder = (options: Partial<ConstructorParameters<typeof RowBuilder>[0]> = {}): RowBuilder =>
  new RowBuilder({ incarnation: 2, rowCrc: true, keepRaw: false, values: undefined, ...options })

function column(rows: ColumnBatch, name: string): unknown[] {
  const { column: found } = rows.columns.find((entry) => entry.name === name)!
  return Array.from((found as { values: ArrayLike<unknown> }).values)
}

const everything = { from: 0n, to: 1000n }

describe('RowBuilder', () => {
  it('takes the records of the range, whatever batches they lie in', () => {
    const batches = Buffer.concat([batch([0n, 1n, 2n]), batch([3n, 5n], 7n), batch([8n, 9n])])
    for (const [from, to, offsets] of [
      [0n, 10n, [0n, 1n, 2n, 3n, 5n, 8n, 9n]],
      [1n, 9n, [1n, 2n, 3n, 5n, 8n]],
      [4n, 5n, []],
      [5n, 6n, [5n]],
      [6n, 8n, []],
    ] as const) {
      const rows = builder()
      const tally = emptyTally()
      rows.add(runOf(batches), { from, to }, tally)
      const taken = rows.take()
      expect(column(taken, '_kafka_offset')).toEqual(offsets)
      expect(tally).toMatchObject({ rows: offsets.length, lastRow: offsets.at(-1) ?? null, control: 0 })
      expect(tally.checksum).toBe(
        column(taken, '_kafka_crc').reduce((sum: bigint, crc) => sum + BigInt(crc as number), 0n),
      )
      expect(column(taken, '_kafka_partition')).toEqual(offsets.map(() => 4))
      expect(column(taken, '_kafka_incarnation')).toEqual(offsets.map(() => 2))
    }
  })

  it('counts control records and gives them no row; refuses transactions by name', () => {
    const rows = builder()
    const tally = emptyTally()
    const control = withAttributes(batch([3n]), 32)
    rows.add(runOf(Buffer.concat([batch([2n]), control, batch([4n])])), everything, tally)
    expect(tally).toMatchObject({ rows: 2, control: 1, lastRow: 4n })
    rows.add(runOf(control), { from: 4n, to: 9n }, tally)
    expect(tally.control).toBe(1)
    const transactional = withAttributes(batch([5n]), 16)
    expect(() => rows.add(runOf(transactional), everything, tally)).toThrow(
      expect.objectContaining({ kind: 'unsupported' }),
    )
  })

  it('knows which schema each record is of, across batches and trimmed ends', () => {
    const rows = builder()
    const batches = Buffer.concat([batch([0n, 1n]), batch([2n, 3n])])
    rows.add({ ...runOf(batches, [7, 8, 9, 10]), keySchemaIds: [1, 1, 1, 2] }, { from: 1n, to: 4n }, emptyTally())
    const taken = rows.take()
    expect(column(taken, '_kafka_schema_id')).toEqual([8, 9, 10])
    expect(column(taken, '_kafka_key_schema_id')).toEqual([1, 1, 2])
  })

  it('hands rows over before they take more than the bytes it is given', () => {
    const rows = builder()
    const parts: number[] = []
    const batches = Buffer.concat(Array.from({ length: 20 }, (_, at) => batch([BigInt(at)])))
    rows.add(runOf(batches), everything, emptyTally(), {
      maxBytes: 40,
      maxRows: 1000,
      rows: (part) => void parts.push(part.length),
    })
    expect(parts.length).toBeGreaterThan(3)
    expect(parts.reduce((a, b) => a + b, rows.rows)).toBe(20)
  })

  it('begins anew after each take', () => {
    const rows = builder({
      values: {
        columnar: {
          builders: (arena: Arena) => [arena].slice(1) as never[],
          decodeRow: () => 'canonical',
          encodeRow: () => 0,
        },
        schemaId: 0,
        names: [],
      },
    })
    rows.add(runOf(batch([0n])), everything, emptyTally())
    expect(rows.take().length).toBe(1)
    expect(rows.take().length).toBe(0)
    rows.add(runOf(batch([7n])), everything, emptyTally())
    expect(column(rows.take(), '_kafka_offset')).toEqual([7n])
  })

  it('is corrupt for bytes that are no batch', () => {
    expect(() => builder().add(runOf(utf8('nothing like a batch at all')), everything, emptyTally())).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    )
  })
})
