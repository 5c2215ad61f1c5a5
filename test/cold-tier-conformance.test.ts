import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { tableFiles, tableIdentifier, unavailable } from '@moulin/core'
import type { Catalog, ColdTier, ObjectStore } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import {
  coldTierConformance,
  coldTierConformanceChecks,
  hookedStore,
  virtualRuntime,
  wrongTiers,
} from '@moulin/testing'
import type { ColdTierConformanceConfig, ColdTierSubject, HookedStore, VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'

interface TableSubject extends ColdTierSubject {
  readonly store: HookedStore
  readonly runtime: VirtualRuntime
  readonly catalog: Catalog
  /** Runs around the next commit of rows; then it is forgotten. */
  readonly commit: { before?: () => Promise<void>; after?: () => Promise<void> }
}

type MakeCatalog = (store: ObjectStore, runtime: VirtualRuntime) => Catalog

/** The catalog as one process uses it, whose commits of snapshots can be stopped and lost. */
function tapped(catalog: Catalog, commit: TableSubject['commit']): Catalog {
  return {
    ...catalog,
    async commitTable(table, request, call) {
      if (!request.updates.some(({ action }) => action === 'add-snapshot'))
        return catalog.commitTable(table, request, call)
      const { before, after } = commit
      delete commit.before
      delete commit.after
      await before?.()
      const committed = await catalog.commitTable(table, request, call)
      await after?.()
      return committed
    },
  }
}

type Wrap = (tier: ColdTier) => ColdTier

function opened(parts: Pick<TableSubject, 'store' | 'runtime' | 'catalog'>, wrap: Wrap): TableSubject {
  const commit = {}
  return { ...parts, commit, tier: wrap(icebergTier({ catalog: tapped(parts.catalog, commit), threads: 0 })) }
}

function tableConfig(
  name: string,
  make: MakeCatalog,
  wrap: Wrap = (tier) => tier,
): ColdTierConformanceConfig<TableSubject> {
  return {
    name,
    capabilities: { arrow: true },
    create() {
      const [store, runtime] = [hookedStore(), virtualRuntime({ seed: 1 })]
      return opened({ store, runtime, catalog: make(store, runtime) }, wrap)
    },
    // The catalog in memory is that of all processes; the other one is a new one each time.
    reopen: ({ store, runtime, catalog }) =>
      opened({ store, runtime, catalog: make === memoryOnes ? catalog : make(store, runtime) }, wrap),
    loseCommit({ commit }, how) {
      const outcome = how === 'refused' ? 'rejected' : 'unknown'
      commit[how === 'kept' ? 'after' : 'before'] = async () => {
        throw unavailable('LOST', 'The answer to the commit was lost.', { outcome })
      }
    },
    holdCommit({ commit }) {
      let [reach, release] = [(): void => {}, (): void => {}]
      const reached = new Promise<void>((resolve) => (reach = resolve))
      const held = new Promise<void>((resolve) => (release = resolve))
      commit.before = () => {
        reach()
        return held
      }
      return { reached, release: () => release() }
    },
    async hide({ store, catalog }, table, { partition, offset }) {
      const { metadata } = await catalog.loadTable(tableIdentifier(table))
      const taken: { key: string; bytes: Uint8Array }[] = []
      for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) {
        // In the bounds of partition and offset, fields 1 and 2.
        const bound = (id: number, of: 'lowerBounds' | 'upperBounds'): bigint => littleEndian(file[of]!.get(id)!)
        const isWithin = (id: number, value: bigint): boolean =>
          bound(id, 'lowerBounds') <= value && value <= bound(id, 'upperBounds')
        if (!isWithin(1, BigInt(partition)) || !isWithin(2, offset)) continue
        const key = file.filePath.slice(store.root.length)
        taken.push({ key, bytes: (await store.get(key)).bytes })
        await store.delete(key)
      }
      return async () => {
        for (const { key, bytes } of taken) await store.put(key, bytes)
      }
    },
    async rollBack({ catalog }, table) {
      const identifier = tableIdentifier(table)
      const { metadata } = await catalog.loadTable(identifier)
      const present = metadata.snapshots!.find((one) => one['snapshot-id'] === metadata['current-snapshot-id'])!
      const snapshotId = present['parent-snapshot-id']
      const updates =
        snapshotId === undefined || snapshotId === null
          ? [{ action: 'remove-snapshot-ref', 'ref-name': 'main' } as const]
          : [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId } as const]
      await catalog.commitTable(identifier, { requirements: [], updates })
    },
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let at = bytes.length - 1; at >= 0; at--) value = value * 256n + BigInt(bytes[at]!)
  return value
}

const memoryOnes: MakeCatalog = (store, runtime) => memoryCatalog({ store, runtime })

coldTierConformance({ describe, it }, tableConfig('icebergTier over a memoryCatalog', memoryOnes))
coldTierConformance(
  { describe, it },
  tableConfig('icebergTier over an objectStoreCatalog', (store, runtime) => objectStoreCatalog({ store, runtime })),
)

describe('coldTierConformance', () => {
  // The tier in memory has no Arrow.
  it('rejects a table that gives Arrow without a byte, by one check alone', async () => {
    const { name, wrap } = wrongTiers.find((wrong) => wrong.name === 'Arrow without a byte')!
    const failed: string[] = []
    for (const check of coldTierConformanceChecks(tableConfig(name, memoryOnes, wrap))) {
      await check.run().catch(() => failed.push(check.name))
    }
    expect(failed).toEqual(['gives the rows as Arrow'])
  })
})
