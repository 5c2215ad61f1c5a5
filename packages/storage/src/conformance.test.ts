import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ObjectStore } from '@moulin/core'
import type { TestRunner } from '@moulin/testing'
import { objectStoreChecks, objectStoreConformance, virtualRuntime, wrongStores } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'
import { memory } from './memory.ts'
import { prefix } from './prefix.ts'

const oneOrTheOther = { 'keeps an object and others below its key': 'a path is a file or a folder' }
const inFolder = { capabilities: { compareAndSwap: false }, cannot: oneOrTheOther }

const onDisk = async (): Promise<ObjectStore> =>
  fileSystem({ root: join(await mkdtemp(join(tmpdir(), 'moulin-conformance-')), 'lake') })
const removed = async (store: ObjectStore): Promise<void> =>
  rm(dirname(new URL(store.root.replace('/part/', '/')).pathname), { recursive: true })
const onSimulatedDisk = (): ObjectStore => fileSystem({ ...virtualRuntime({ seed: 1 }), root: '/srv/lake' })
/** In a part, beside objects that are none of its own. */
const partOf = async (store: ObjectStore): Promise<ObjectStore> => {
  for (const key of ['par', 'part-', 'part0/x', 'zz']) await store.put(key, new Uint8Array(9))
  return prefix(store, 'part/')
}

objectStoreConformance({ describe, it }, { name: 'memory', create: () => memory() })
objectStoreConformance(
  { describe, it },
  { name: 'fileSystem on a real disk', create: onDisk, close: removed, maxKeyBytes: 1_019, ...inFolder },
)
objectStoreConformance(
  { describe, it },
  { name: 'fileSystem on a simulated disk', create: onSimulatedDisk, ...inFolder },
)
objectStoreConformance(
  { describe, it },
  { name: 'prefix over memory', create: () => partOf(memory()), maxKeyBytes: 1_019 },
)
objectStoreConformance(
  { describe, it },
  {
    name: 'prefix over fileSystem',
    create: async () => partOf(await onDisk()),
    close: removed,
    maxKeyBytes: 1_019,
    ...inFolder,
  },
)

describe('objectStoreConformance', () => {
  const sizes = { largeBytes: 4_000_000, manyKeys: 1_100, maxKeyBytes: 1_024 }

  it.each(wrongStores)('rejects a $name', async ({ breaks, wrap }) => {
    const check = objectStoreChecks.find(({ name }) => name === breaks)
    const error: unknown = await check!.run(wrap(memory()), sizes).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeDefined()
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
    expect(ran.length + left.length).toBe(objectStoreChecks.length + 2)
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
