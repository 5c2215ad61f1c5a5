/**
 * A file that pyarrow wrote, in memory: all of it to columns, on one thread. Ten row groups, page indexes. pyarrow's own
 * settings try a dictionary for every column; `tuned` is as in the bench `encode`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesRangeReader, openParquet } from '@moulin/format'
import { alone, beside, rounds, timed } from '../bench.ts'
import type { Bench, Reach } from '../bench.ts'
import { hyparquetColumnsOf } from '../peers/hyparquet.ts'
import { pyarrow, pyarrowTuned } from '../peers/pyarrow.ts'
import type { PyarrowWrite } from '../peers/pyarrow.ts'
import { arrowIpc } from '../shapes/arrow.ts'
import { events } from '../shapes/events.ts'
import { flights } from '../shapes/flights.ts'
import { rowGroupRows } from '../shapes/shape.ts'
import type { Shape } from '../shapes/shape.ts'
import { inFolder } from '../temporary.ts'

interface Case {
  readonly name: string
  readonly codec: 'snappy' | 'zstd'
  readonly isTuned: boolean
  readonly reach: Readonly<Record<string, Reach>>
}

const reach = { pyarrow: { ratio: 1 }, hyparquet: { ratio: 0.33 } }
const cases: readonly Case[] = [
  { name: 'events/snappy', codec: 'snappy', isTuned: false, reach },
  { name: 'events/snappy/tuned', codec: 'snappy', isTuned: true, reach },
  { name: 'events/zstd', codec: 'zstd', isTuned: false, reach: {} },
  { name: 'flights/snappy', codec: 'snappy', isTuned: false, reach: {} },
]

export const bench: Bench = async (print, options) => {
  const chosen = cases.filter(({ name }) => name.includes(options.only))
  const python = await pyarrow(options)
  for (const make of [events, flights]) {
    const own = chosen.filter(({ name }) => name.startsWith(`${make.name}/`))
    if (own.length === 0) continue
    const shape = await make(options.rows)
    for (const each of own) await measure(shape, each, await written(shape, each))
  }
  python.close()

  /** The bytes that pyarrow wrote; it keeps them too. */
  async function written({ name, schema, batches, tuned }: Shape, { codec, isTuned }: Case): Promise<Uint8Array> {
    const settings: Partial<PyarrowWrite> = isTuned ? pyarrowTuned(codec, tuned) : { compression: codec }
    const how = { compression: codec, ...settings, row_group_size: rowGroupRows, write_page_index: true }
    return inFolder(async (dir) => {
      const [arrow, parquet] = [join(dir, 'shape.arrow'), join(dir, 'shape.parquet')]
      await writeFile(arrow, arrowIpc(schema, batches))
      await python.loadTable(name, arrow)
      await python.write(name, how, parquet)
      await python.loadFile(name, parquet)
      return readFile(parquet)
    })
  }

  async function measure({ schema, name, rows }: Shape, { name: of, reach }: Case, bytes: Uint8Array): Promise<void> {
    const nameMapping = schema.fields.map((field) => ({ 'field-id': field.id, names: [field.name] }))
    const ours = (): Promise<number> =>
      timed(options, async () => {
        const file = await openParquet(bytesRangeReader(bytes, of), { nameMapping })
        for (const rowGroup of file.rowGroups.keys()) await file.read({ rowGroup, types: schema.fields })
      })
    const peers: Record<string, () => Promise<number>> = {
      pyarrow: async () => (await python.read(name)).ms,
      hyparquet: () => timed(options, () => hyparquetColumnsOf(bytes)),
    }
    const wanted = Object.entries(peers).filter(([peer]) => peer.startsWith(options.peer))
    const ms = await rounds(options.rounds, { moulin: ours, ...Object.fromEntries(wanted) })
    const own = ms['moulin']!
    for (const [peer] of wanted) {
      const goal = reach[peer]
      print({ bench: 'decode', case: of, unit: 'ms', peer, ...beside(own, ms[peer]!), ...(goal && { reach: goal }) })
    }
    const speeds = own.map((each) => rows / each / 1000)
    print({ bench: 'decode', case: `${of}/rows`, unit: 'M rows/s', ...alone(speeds) })
  }
}
