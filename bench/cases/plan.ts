/**
 * Which data files a read needs, of a topic's table of 100 000 files in 50 manifests: all of them; those that may hold one offset of
 * a partition, where nothing is known of the table yet; and the same once more, with what was kept of the manifests. PyIceberg plans the same
 * from the same files; it keeps manifest lists and reads manifests each time.
 */
import { and, eq, gte, lt, tableFiles } from '@moulin/core'
import type { Expression } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { ManifestRoom } from '@moulin/iceberg'
import { keptManifests, manifestRoom } from '../../packages/lake/src/live/manifest-room.ts'
import { alone, beside, rounds, timed } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { pythonPeer } from '../peers/python-peer.ts'
import { manyFiles, OFFSETS, type ManyFiles } from '../shapes/many-files.ts'
import { randomOf } from '../shapes/random.ts'
import { inFolder } from '../temporary.ts'

const partition = 2
/** One seek is too short to time. */
const seeksPerRound = 50
const roomBytes = 128 * 1024 * 1024

export const bench: Bench = async (print, options) => {
  await inFolder(async (dir) => {
    const table = await manyFiles(dir, options.rows ?? 100_000)
    const peer = 'pyiceberg'.startsWith(options.peer) ? await pythonPeer('serve_pyiceberg.py') : undefined
    const random = randomOf(5)
    const offset = (): bigint => BigInt(random.below(table.files * OFFSETS))
    const theirs = async (at?: bigint): Promise<number> => {
      const range = at === undefined ? {} : { partition, start: Number(at), end: Number(at) + 1 }
      const { rows, [options.clock]: ms } = await peer!.tell('plan', { metadata: table.metadataPath, ...range })
      if (rows !== (at === undefined ? table.files : 1)) throw new Error(`PyIceberg planned ${rows} files.`)
      return ms
    }
    const ours = async (room: ManifestRoom, at?: bigint): Promise<void> => {
      const found = await planned(table, room, at)
      if (found !== (at === undefined ? table.files : 1)) throw new Error(`${found} files were planned.`)
    }
    const fresh = (): ManifestRoom => manifestRoom(keptManifests(roomBytes))
    const warm = fresh()
    const cases = {
      all: { run: () => timed(options, () => ours(fresh())), peer: () => theirs(), reach: { value: 1000 } },
      'seek/cold': { run: () => timed(options, () => ours(fresh(), offset())), peer: () => theirs(offset()) },
      'seek/warm': {
        run: async () => {
          const offsets = Array.from({ length: seeksPerRound }, offset)
          const ms = await timed(options, async () => {
            for (const at of offsets) await ours(warm, at)
          })
          return ms / seeksPerRound
        },
        peer: () => theirs(offset()),
        reach: { value: 20 },
      },
    }
    for (const [name, { run, peer: peerRun, ...reach }] of Object.entries(cases)) {
      const of = `${table.files}/${name}`
      if (!of.includes(options.only)) continue
      const ms = await rounds(options.rounds, { moulin: run, ...(peer && { pyiceberg: peerRun }) })
      const figures = peer ? { peer: 'pyiceberg', ...beside(ms['moulin']!, ms['pyiceberg']!) } : alone(ms['moulin']!)
      print({ bench: 'plan', case: of, unit: 'ms', ...figures, ...reach })
    }
    peer?.close()
  })
}

async function planned({ store, metadata }: ManyFiles, room: ManifestRoom, at: bigint | undefined): Promise<number> {
  let files = 0
  const where: Expression | undefined =
    at === undefined
      ? undefined
      : and(eq('_kafka_partition', partition), gte('_kafka_offset', at), lt('_kafka_offset', at + 1n))
  for await (const task of planScan({ tableFiles: tableFiles(store), metadata, where, room })) {
    files++
    void task
  }
  return files
}
