import { checkOptions, option } from '@moulin/core'
import type { ObjectStore, OptionTable, StoreCapabilities } from '@moulin/core'
import { expectEqual } from './assertions.ts'
import type { CheckSizes, ObjectStoreCheck, ReadLocation } from './object-store-checks.ts'
import { listChecks } from './object-store-checks-list.ts'
import { readChecks } from './object-store-checks-read.ts'
import { writeChecks } from './object-store-checks-write.ts'
import type { TestRunner } from './test-runner.ts'

export interface ObjectStoreConformanceConfig {
  /** Default: `ObjectStore`. */
  readonly name?: string
  /** A store with nothing in it, anew for every check. */
  create(): ObjectStore | Promise<ObjectStore>
  /** What the store claims. Default: creates and swaps, no multipart. */
  readonly capabilities?: Partial<StoreCapabilities>
  /** After each check. */
  close?(store: ObjectStore): Promise<void>
  /** What the store does not promise although it is no capability: the name of the check, and the reason. */
  readonly cannot?: Readonly<Record<string, string>>
  /**
   * How others read a location, without this store: of a folder, the file of that path. Give the store a root with
   * spaces and escapes (`my lake/a%41b`) where it can have one. Without it nothing proves that locations are raw.
   */
  readonly at?: ReadLocation
  /** Of the large object. Default 64 MiB. */
  readonly largeBytes?: number
  /** How many keys a long list has. Default 1 100: more than a page of the common services. */
  readonly manyKeys?: number
  /** The longest key. Default 1 024; a store below a prefix has less. */
  readonly maxKeyBytes?: number
}

const optionTable: OptionTable<ObjectStoreConformanceConfig> = {
  name: option.text,
  create: option.required(option.callback),
  capabilities: option.nested<StoreCapabilities>({
    createIfAbsent: option.flag,
    compareAndSwap: option.flag,
    multipart: option.flag,
  }),
  close: option.callback,
  cannot: option.recordOf(option.text),
  at: option.callback,
  largeBytes: option.positiveBytes,
  manyKeys: option.integer('', 1),
  maxKeyBytes: option.integer('bytes', 1, 1024),
}

/** All promises of core's `ObjectStore`, one check each, in the order of their running. */
export const objectStoreChecks: readonly ObjectStoreCheck[] = [...readChecks, ...writeChecks, ...listChecks]

/**
 * Declares one test per promise of core's `ObjectStore`. What the store does not claim is declared as skipped, with the
 * reason in its name. A store that passes may be wrong in ways no test sees: loss of power, faults of the network.
 */
export function objectStoreConformance({ describe, it }: TestRunner, config: ObjectStoreConformanceConfig): void {
  checkOptions('objectStoreConformance', config, optionTable)
  const sizes: CheckSizes = {
    largeBytes: config.largeBytes ?? 64 * 1024 * 1024,
    manyKeys: config.manyKeys ?? 1_100,
    maxKeyBytes: config.maxKeyBytes ?? 1_024,
  }
  const claims: StoreCapabilities = {
    createIfAbsent: true,
    compareAndSwap: true,
    multipart: false,
    ...config.capabilities,
  }
  const test = (name: string, run: (store: ObjectStore) => Promise<void>): void => {
    it(name, async () => {
      const store = await config.create()
      try {
        await run(store)
      } finally {
        await config.close?.(store)
      }
    })
  }
  describe(config.name ?? 'ObjectStore', () => {
    test('claims the capabilities that the suite was told of', async (store) =>
      expectEqual({ ...store.capabilities }, claims, 'the capabilities'))
    for (const check of objectStoreChecks) {
      const blind = check.byLocation && config.at === undefined ? 'no way to read a location' : undefined
      const why = config.cannot?.[check.name] ?? unclaimed(check, claims) ?? blind
      if (why === undefined) test(check.name, (store) => check.run(store, sizes, config.at))
      else if (check.without === undefined) it.skip(`${check.name} (not here: ${why})`, async () => {})
    }
  })
}

/** Why a check is not about a store with these capabilities, or undefined where it is. */
export function unclaimed({ needs, without }: ObjectStoreCheck, claims: StoreCapabilities): string | undefined {
  if (needs !== undefined && !claims[needs]) return `no ${needs}`
  return without !== undefined && claims[without] ? `has ${without}` : undefined
}
