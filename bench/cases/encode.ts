/**
 * Columns to Parquet in memory, on one thread. `tuned`: every engine is told the same encodings (see `TunedColumns`), and
 * row groups have 100 000 rows. `auto` is our writer left to itself. pyarrow also runs with page indexes and page
 * checksums, which we always write. Peers get columns in the form that they like best, made before the clock runs. Our
 * writer's bytes leave through its sink into memory that is used again, as pyarrow's do within its own pool.
 *
 * pyarrow, in a process of its own, comes first: the columns of the others are hundreds of MB of JavaScript objects, which
 * each of our collections of garbage would have to walk through.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetWriter } from '@moulin/format'
import { alone, beside, rounds, timed } from '../bench.ts'
import type { Bench, BenchOptions, Reach } from '../bench.ts'
import { hyparquetColumns, hyparquetWrite } from '../peers/hyparquet-writer.ts'
import { parquetWasmWrite } from '../peers/parquet-wasm.ts'
import { pyarrow, pyarrowTuned } from '../peers/pyarrow.ts'
import type { Pyarrow } from '../peers/pyarrow.ts'
import { recycledSink, tunedEncodings } from '../recycled-sink.ts'
import { arrowIpc } from '../shapes/arrow.ts'
import { events } from '../shapes/events.ts'
import { flights } from '../shapes/flights.ts'
import { rowGroupRows } from '../shapes/shape.ts'
import type { Shape } from '../shapes/shape.ts'
import { inFolder } from '../temporary.ts'

type Codec = 'snappy' | 'zstd'

interface Case {
  readonly name: string
  readonly codec: Codec
  readonly isTuned: boolean
  readonly reach: Readonly<Record<string, Reach>>
}

const cases: readonly Case[] = [
  {
    name: 'events/snappy',
    codec: 'snappy',
    isTuned: true,
    reach: { pyarrow: { ratio: 1.3 }, 'hyparquet-writer': { ratio: 0.2 } },
  },
  { name: 'events/zstd', codec: 'zstd', isTuned: true, reach: { pyarrow: { ratio: 1.15 } } },
  { name: 'events/snappy/auto', codec: 'snappy', isTuned: false, reach: {} },
  { name: 'events/zstd/auto', codec: 'zstd', isTuned: false, reach: {} },
  { name: 'flights/snappy', codec: 'snappy', isTuned: true, reach: { pyarrow: { ratio: 1.4 } } },
  { name: 'flights/zstd', codec: 'zstd', isTuned: true, reach: { pyarrow: { ratio: 1.4 } } },
  { name: 'flights/snappy/auto', codec: 'snappy', isTuned: false, reach: {} },
  { name: 'flights/zstd/auto', codec: 'zstd', isTuned: false, reach: {} },
]

type Peer = (codec: Codec) => Promise<{ readonly ms: number; readonly bytes: number }>

export const bench: Bench = async (print, options) => {
  const chosen = cases.filter(({ name }) => name.includes(options.only))
  const python = await pyarrow(options)
  for (const make of [events, flights]) {
    const own = chosen.filter(({ name }) => name.startsWith(`${make.name}/`))
    if (own.length === 0) continue
    const shape = await make(options.rows)
    const foreign = await pyarrowPeers(shape, python)
    for (const each of own) await measure(shape, each, foreign)
    const inProcess = peersInProcess(shape, options)
    for (const each of own) if (each.isTuned) await measure(shape, each, inProcess)
  }
  python.close()

  async function measure(
    shape: Shape,
    { name, codec, isTuned, reach }: Case,
    all: Record<string, Peer>,
  ): Promise<void> {
    const peers = Object.entries(all).filter(
      ([peer]) =>
        peer.startsWith(options.peer) &&
        (isTuned || peer === 'pyarrow') &&
        (peer !== 'hyparquet-writer' || codec === 'snappy'),
    )
    if (peers.length === 0) return
    const bytes: Record<string, number> = {}
    const contenders = Object.fromEntries(
      [['moulin', ours(shape, isTuned, options)] as const, ...peers].map(([peer, run]) => {
        const contender = async (): Promise<number> => {
          const result = await run(codec)
          bytes[peer] = result.bytes
          return result.ms
        }
        return [peer, contender]
      }),
    )
    const ms = await rounds(options.rounds, contenders)
    const own = ms['moulin']!
    for (const [peer] of peers) {
      const goal = reach[peer]
      print({
        bench: 'encode',
        case: name,
        unit: 'ms',
        peer,
        ...beside(own, ms[peer]!),
        ...(goal && { reach: goal }),
      })
    }
    if (bytes['pyarrow'] === undefined) return
    const speeds = own.map((each) => shape.rows / each / 1000)
    print({ bench: 'encode', case: `${name}/rows`, unit: 'M rows/s', ...alone(speeds) })
    const value = bytes['moulin']! / 1e6
    const size = { value, unit: 'MB', peer: 'pyarrow', ratio: bytes['moulin']! / bytes['pyarrow'], spread: null }
    print({ bench: 'encode', case: `${name}/size`, ...size })
  }
}

function ours({ schema, batches, tuned }: Shape, isTuned: boolean, options: BenchOptions): Peer {
  // Untuned, as tables have them by default: no deltas.
  const extra = isTuned ? { encodings: tunedEncodings({ schema, tuned }) } : { deltas: false }
  const file = recycledSink()
  return async (compression) => {
    file.clear()
    const ms = await timed(options, () => {
      const writer = parquetWriter.create({ schema, compression, sink: file.sink, ...extra })
      for (const batch of batches) writer.writeRowGroup(batch)
      writer.finish()
    })
    return { ms, bytes: file.length }
  }
}

async function pyarrowPeers({ name, schema, batches, tuned }: Shape, python: Pyarrow): Promise<Record<string, Peer>> {
  await inFolder(async (dir) => {
    const path = join(dir, `${name}.arrow`)
    await writeFile(path, arrowIpc(schema, batches))
    await python.loadTable(name, path)
  })
  const withPyarrow =
    (extra: object): Peer =>
    (codec) =>
      python.write(name, { ...pyarrowTuned(codec, tuned), row_group_size: rowGroupRows, ...extra })
  return {
    pyarrow: withPyarrow({}),
    'pyarrow+index+crc': withPyarrow({ write_page_index: true, write_page_checksum: true }),
  }
}

function peersInProcess(shape: Shape, options: BenchOptions): Record<string, Peer> {
  const { schema, batches, tuned } = shape
  const inProcess = (write: (codec: Codec) => { bytes: number }): Peer => {
    return async (codec) => {
      let bytes = 0
      const ms = await timed(options, () => {
        bytes = write(codec).bytes
      })
      return { ms, bytes }
    }
  }
  const stream = arrowIpc(schema, batches, 'stream')
  const columns = hyparquetColumns(shape)
  return {
    'parquet-wasm': inProcess((codec) => parquetWasmWrite(stream, codec, tuned)),
    'hyparquet-writer': inProcess(() => hyparquetWrite(columns)),
  }
}
