import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isKind } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import type { ReadLocation, SimulatedDisk, TestRunner } from '@moulin/testing'
import { objectStoreChecks, objectStoreConformance, simulatedDisk, unclaimed } from '@moulin/testing'
import { virtualRuntime, wrongStores } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'
import { memory } from './memory.ts'
import { prefix } from './layers/prefix.ts'

const oneOrTheOther = { 'keeps an object and others below its key': 'a path is a file or a folder' }
const inFolder = {
  capabilities: { compareAndSwap: false, multipart: true },
  durability: 'disk',
  cannot: oneOrTheOther,
} as const
const all = { multipart: true, attemptIds: true }

const FOLDER = 'my lake/Mü%41{x}'
const onDisk = async (): Promise<ObjectStore> =>
  fileSystem({ root: join(await mkdtemp(join(tmpdir(), 'moulin-conformance-')), FOLDER) })
const removed = async (store: ObjectStore): Promise<void> =>
  rm(store.root.slice('file://'.length, store.root.indexOf(`/${FOLDER}`)), { recursive: true })
const orNothing = (error: unknown): undefined => {
  if (isKind(error, 'not-found') || (error as { code?: string }).code === 'ENOENT') return undefined
  throw error
}
const fileAt: ReadLocation = (location) => readFile(location.slice('file://'.length)).catch(orNothing)

let disk: SimulatedDisk
const onDiskOf = (): ObjectStore =>
  fileSystem({ root: `/srv/${FOLDER}`, runtime: virtualRuntime({ seed: 1, files: disk.files }) })
const onSimulatedDisk = (): ObjectStore => {
  disk = simulatedDisk({ seed: 1 })
  return onDiskOf()
}
const afterPowerLoss = (): ObjectStore => {
  disk.crash()
  return onDiskOf()
}
const openedAnew = (store: ObjectStore): ObjectStore => fileSystem({ root: store.root.slice('file://'.length, -1) })
const simulatedFileAt: ReadLocation = async (location) => {
  const handle = await disk.files.open(location.slice('file://'.length), 'read').catch(orNothing)
  try {
    return await handle?.read(0, (await handle.stat()).size)
  } finally {
    await handle?.close()
  }
}

let whole: ObjectStore
const inMemory = (): ObjectStore => (whole = memory({ name: 'my lake/50%25' }))
const objectAt: ReadLocation = async (location) => {
  const { root } = whole
  if (!location.startsWith(root)) return undefined
  return (await whole.get(location.slice(root.length)).catch(orNothing))?.bytes
}
/** In a part, beside objects that are none of its own. */
const partOf = async (store: ObjectStore): Promise<ObjectStore> => {
  for (const key of ['one par', 'one part-', 'one part0/x', 'zz']) await store.put(key, new Uint8Array(9))
  return prefix(store, 'one part/%2F{y}/')
}

objectStoreConformance(
  { describe, it },
  { name: 'memory', create: () => memory(), capabilities: all, durability: 'memory' },
)
objectStoreConformance(
  { describe, it },
  {
    name: 'fileSystem on a real disk',
    create: onDisk,
    close: removed,
    at: fileAt,
    reopen: openedAnew,
    maxKeyBytes: 1_019,
    ...inFolder,
  },
)
objectStoreConformance(
  { describe, it },
  {
    name: 'fileSystem on a simulated disk that loses its power',
    create: onSimulatedDisk,
    at: simulatedFileAt,
    reopen: afterPowerLoss,
    ...inFolder,
  },
)
objectStoreConformance(
  { describe, it },
  { name: 'prefix over memory', create: () => partOf(inMemory()), at: objectAt, maxKeyBytes: 1_000, capabilities: all },
)
objectStoreConformance(
  { describe, it },
  {
    name: 'prefix over fileSystem',
    create: async () => partOf(await onDisk()),
    close: removed,
    at: fileAt,
    maxKeyBytes: 1_000,
    ...inFolder,
  },
)

describe('objectStoreConformance', () => {
  const sizes = { largeBytes: 4_000_000, manyKeys: 1_100, maxKeyBytes: 1_024 }
  const small = { largeBytes: 100_000, manyKeys: 40, maxKeyBytes: 1_024 }
  /** Checks that kill a wrong store, by its name. */
  const killers = new Map<string, readonly string[]>()

  it.each(wrongStores)('rejects a $name', async ({ name, breaks, alone, wrap, lose, over = (below) => below }) => {
    const by: string[] = []
    killers.set(name, by)
    for (const check of objectStoreChecks) {
      const base: ObjectStore = { ...inMemory(), durability: 'disk' }
      const reopen = async (): Promise<ObjectStore> => {
        await lose?.(base)
        return base
      }
      const store = wrap(base)
      if (check.name !== breaks && (!alone || unclaimed(check, store) !== undefined)) continue
      const size = check.name === breaks ? sizes : small
      await check.run(store, size, { at: objectAt, reopen, over }).catch(() => by.push(check.name))
    }
    expect(by).toEqual([breaks])
  })

  it('shows which check killed which', () => {
    const lines = [...killers].map(([name, by]) => `${name}: killed by ${by.join(', ')}`)
    console.log(lines.join('\n'))
    expect(lines.length).toBe(wrongStores.length)
  })

  it('has a wrong store for every check', () => {
    expect(new Set(wrongStores.map(({ breaks }) => breaks))).toEqual(new Set(objectStoreChecks.map(({ name }) => name)))
  })

  it('runs under any runner, and says what it leaves out and why', async () => {
    const ran: string[] = []
    const left: string[] = []
    const bodies: Promise<void>[] = []
    const runner: TestRunner = {
      describe: (name, body) => {
        ran.push(name)
        body()
      },
      it: Object.assign(
        (name: string, body: () => Promise<void>) => {
          ran.push(name)
          bodies.push(body())
        },
        { skip: (name: string) => left.push(name) },
      ),
    }
    objectStoreConformance(runner, {
      name: 'mine',
      create: onSimulatedDisk,
      largeBytes: 100,
      manyKeys: 10,
      ...inFolder,
    })
    await Promise.all(bodies)
    expect(ran[0]).toBe('mine')
    const withoutMultipart = objectStoreChecks.filter(({ without }) => without === 'multipart').length
    expect(ran.length + left.length).toBe(objectStoreChecks.length + 2 - withoutMultipart)
    expect(left).toContain('refuses the swap of a missing key (not here: no compareAndSwap)')
    expect(left).toContain('keeps an object and others below its key (not here: a path is a file or a folder)')
  })

  it('fails a store that claims other capabilities than the suite was told of', async () => {
    const failures: unknown[] = []
    const bodies: Promise<void>[] = []
    const it = (_name: string, body: () => Promise<void>): unknown =>
      bodies.push(body().catch((e) => void failures.push(e)))
    const runner: TestRunner = { describe: (_name, body) => body(), it: Object.assign(it, { skip: () => {} }) }
    objectStoreConformance(runner, { create: onSimulatedDisk, largeBytes: 100, manyKeys: 10, cannot: oneOrTheOther })
    await Promise.all(bodies)
    expect(String(failures[0])).toContain('the capabilities')
  })
})
