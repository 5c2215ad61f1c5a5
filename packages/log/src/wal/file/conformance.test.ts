import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemRuntime } from '@moulin/core'
import type { FileHandle, Files } from '@moulin/core'
import {
  hookedStore,
  simulatedWalPlace,
  walChecks,
  walConformance,
  walConformanceChecks,
  walWays,
  wrongWals,
} from '@moulin/testing'
import type { WalPlace } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileWal } from './file-wal.ts'

const long = process.env['MOULIN_LONG'] === '1'

const SEGMENT_BYTES = 64 * 1024
const onDisk = (seed: number, syncedWrites = true): WalPlace =>
  simulatedWalPlace({ seed, syncedWrites, wal: (dir) => fileWal({ dir, segmentBytes: SEGMENT_BYTES }) })

/** The files, without the syncs of what is in them, those of handles that claim to sync what they write among them. */
function neverSynced(files: Files, claimsSynced: boolean): Files {
  const without = (handle: FileHandle): FileHandle => {
    const { read, writev, preallocate, truncate, size, stat, touch, close } = handle
    const rest = { read, writev, preallocate, truncate, size, stat, touch, close }
    const bound = Object.entries(rest).map(([name, call]) => [name, (call as () => unknown).bind(handle)])
    return {
      isSynced: false,
      ...(Object.fromEntries(bound) as typeof rest),
      datasync: async () => {},
      sync: async () => {},
    }
  }
  return {
    ...files,
    open: async (path, mode, options) => ({
      ...without(await files.open(path, mode)),
      isSynced: options?.synced === true && claimsSynced,
    }),
  }
}

/** This process is the only one there is: it cannot be killed, and a crash is none of it. */
function inFolder(): WalPlace {
  const folder = mkdtempSync(join(tmpdir(), 'moulin-wal-'))
  return {
    store: hookedStore(),
    start: () => ({
      wal: fileWal({ dir: join(folder, 'wal'), segmentBytes: SEGMENT_BYTES, networkMount: 'allow' }),
      runtime: systemRuntime({ logger: silentLogger }),
    }),
    crash() {},
    async close() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

for (const seed of long ? Array.from({ length: 20 }, (_, i) => i) : [5, 6]) {
  for (const syncedWrites of [true, false]) {
    const name = `fileWal on a simulated disk ${syncedWrites ? 'with' : 'without'} O_DSYNC, seed ${seed}`
    walConformance({ describe, it }, { name, create: () => onDisk(seed, syncedWrites), ways: walWays })
  }
}
walConformance({ describe, it }, { name: 'fileWal in a folder', create: inFolder })

describe('walConformance', () => {
  /** Checks that kill a wrong Wal, by its name. */
  const killers = new Map<string, readonly string[]>()
  const wrong = wrongWals.filter(({ offsets = 'given' }) => offsets === 'given')
  // In `testing`, over memoryWal, each other wrong Wal goes through all checks that can be run there.
  const needsDisk = (breaks: string): boolean =>
    ['fill', 'fail'].includes(walChecks.find(({ name }) => name === breaks)!.needs ?? '')

  it.each(wrong)(
    'rejects a Wal that $name',
    async ({ name, breaks, wrap }) => {
      const by: string[] = []
      killers.set(name, by)
      for (const { name: check, skipped, run } of walConformanceChecks({
        create: () => wrap(onDisk(5)),
        ways: walWays,
      })) {
        if (skipped !== undefined) continue
        if (check === breaks || long || needsDisk(breaks)) await run().catch(() => by.push(check))
      }
      expect(by).toEqual([breaks])
    },
    120_000,
  )

  it.each([true, false])(
    'rejects fileWal on a disk whose syncs do nothing: it acks before it is durable (O_DSYNC %s)',
    async (claimsSynced) => {
      const create = (): WalPlace => {
        const place = onDisk(5)
        return {
          ...place,
          start() {
            const process = place.start()
            return {
              ...process,
              runtime: { ...process.runtime, files: neverSynced(process.runtime.files, claimsSynced) },
            }
          },
        }
      }
      const [check] = walConformanceChecks({ create }).filter(({ name }) => name.startsWith('keeps what it acked'))
      await expect(check!.run()).rejects.toThrow('was not told')
    },
  )

  it('shows which check killed which', () => {
    const lines = [...killers].map(([name, by]) => `${name}: killed by ${by.join(', ')}`)
    console.log(lines.join('\n'))
    expect(lines.length).toBe(wrong.length)
  })
})
