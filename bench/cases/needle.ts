/**
 * 1 000 rows from anywhere in a file of our own, all columns, the file opened anew each time: footer, offset indexes and
 * pages. hyparquet reads the same rows by the same indexes and makes row objects; we make columns.
 */
import { bytesRangeReader, openParquet, parquetWriter } from '@moulin/format'
import type { RangeReader } from '@moulin/format'
import { beside, rounds, timed } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { hyparquetRowsOf } from '../peers/hyparquet.ts'
import { randomOf } from '../shapes/random.ts'
import { events } from '../shapes/events.ts'
import type { Shape } from '../shapes/shape.ts'

const wanted = 1000
/** One needle is too short to time, and where it begins within its pages matters: the figures are means of these. */
const needlesPerRound = 20

export const bench: Bench = async (print, options) => {
  const shape = events(options.rows)
  for (const codec of ['snappy', 'zstd'] as const) {
    const name = `events/${codec}`
    if (!name.includes(options.only)) continue
    const bytes = written(shape, codec)
    const random = randomOf(7)
    const needles = Array.from({ length: needlesPerRound }, () => {
      const start = random.below(Math.max(1, shape.rows - wanted))
      return { start, end: Math.min(shape.rows, start + wanted) }
    })
    let fetched = 0
    let theirs = 0
    const ms = await rounds(options.rounds, {
      moulin: () =>
        timed(options, async () => {
          fetched = 0
          for (const rows of needles) fetched += await ours(shape, bytes, rows)
        }),
      hyparquet: () =>
        timed(options, async () => {
          theirs = 0
          for (const rows of needles) theirs += (await hyparquetRowsOf(bytes, rows)).fetched
        }),
    })
    const peer = 'hyparquet'
    const [own, other] = [ms['moulin']!, ms[peer]!].map((each) => each.map((sum) => sum / needlesPerRound))
    const line = { bench: 'needle', peer }
    print({ ...line, case: `${name}/time`, unit: 'ms', ...beside(own!, other!), reach: { value: 8 } })
    print({
      ...line,
      case: `${name}/bytes`,
      value: fetched / needlesPerRound / 1e6,
      unit: 'MB',
      ratio: fetched / theirs,
      spread: null,
      reach: { value: 0.5 },
    })
  }
}

/** Reads the rows and answers with the bytes fetched. */
async function ours(shape: Shape, bytes: Uint8Array, rows: { start: number; end: number }): Promise<number> {
  const counted = counting(bytesRangeReader(bytes, shape.name))
  const file = await openParquet(counted.reader)
  for (const [rowGroup, { firstRow, rowCount }] of file.rowGroups.entries()) {
    const [start, end] = [Math.max(rows.start - firstRow, 0), Math.min(rows.end - firstRow, rowCount)]
    if (start < end) await file.read({ rowGroup, types: shape.schema.fields, rows: { start, end } })
  }
  return counted.fetched()
}

function counting(reader: RangeReader): { readonly reader: RangeReader; readonly fetched: () => number } {
  let fetched = 0
  const { size, name } = reader
  return {
    reader: {
      size,
      name,
      // Its own memory, as from a store.
      async read(start, end) {
        fetched += end - start
        return (await reader.read(start, end)).slice()
      },
    },
    fetched: () => fetched,
  }
}

function written({ schema, batches }: Shape, compression: 'snappy' | 'zstd'): Uint8Array {
  const file = parquetWriter.create({ schema, compression, deltas: false, columnIndexes: ['offset'] })
  for (const batch of batches) file.writeRowGroup(batch)
  return file.finish().bytes
}
