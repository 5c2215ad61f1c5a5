import { checkOptions, option } from '@moulin/core'
import type { Durability, ListOrder, ObjectStore, OptionTable, StoreCapabilities } from '@moulin/core'
import { expectEqual } from './assertions.ts'
import type { CheckSizes, ObjectStoreCheck, ReadLocation } from './object-store-checks.ts'
import { attemptChecks } from './object-store-checks-attempts.ts'
import { claimChecks } from './object-store-checks-claims.ts'
import { listChecks } from './object-store-checks-list.ts'
import { manyChecks } from './object-store-checks-many.ts'
import { readChecks } from './object-store-checks-read.ts'
import { streamChecks } from './object-store-checks-stream.ts'
import { writeChecks } from './object-store-checks-write.ts'
import { declareCases } from './test-runner.ts'
import type { ConformanceCase, TestRunner } from './test-runner.ts'
import { within } from './within.ts'

export interface ObjectStoreConformanceConfig {
  /** Default: `ObjectStore`. */
  readonly name?: string
  /** A store with nothing in it, anew for every check. */
  create(): ObjectStore | Promise<ObjectStore>
  /** What the store claims. Default: creates and swaps, no multipart, no attempt ids. */
  readonly capabilities?: Partial<StoreCapabilities>
  /** Default `bytes`. */
  readonly listOrder?: ListOrder
  /** Left out: any. */
  readonly durability?: Durability
  /** After each check. */
  close?(store: ObjectStore): Promise<void>
  /** What the store does not promise although it is no capability: the name of the check, and the reason. */
  readonly cannot?: Readonly<Record<string, string>>
  /**
   * How others read a location, without this store: of a folder, the file of that path. Give the store a root with
   * spaces and escapes (`my lake/a%41b`) where it can have one. Without it nothing proves that locations are raw.
   */
  readonly at?: ReadLocation
  /** The store of the next process on the same objects. Without it nothing proves that they last. */
  reopen?(store: ObjectStore): ObjectStore | Promise<ObjectStore>
  /** Of a layer: the same one over another store. Without it nothing proves what it makes of answers that are lost below it. */
  over?(below: ObjectStore): ObjectStore
  /** Of the large object. Default 64 MiB. */
  readonly largeBytes?: number
  /** How many keys a long list has. Default 1 100: more than a page of the common services. */
  readonly manyKeys?: number
  /** The longest key. Default 1 024; a store below a prefix has less. */
  readonly maxKeyBytes?: number
  /** Of one check. Default 120 000; more for a store that is far away. */
  readonly timeoutMs?: number
}

const optionTable: OptionTable<ObjectStoreConformanceConfig> = {
  name: option.text,
  create: option.required(option.callback),
  capabilities: option.nested<StoreCapabilities>({
    createIfAbsent: option.flag,
    compareAndSwap: option.flag,
    multipart: option.flag,
    attemptIds: option.flag,
  }),
  listOrder: option.oneOf('bytes', 'none'),
  durability: option.oneOf('memory', 'disk', 'zone', 'region'),
  close: option.callback,
  cannot: option.recordOf(option.text),
  at: option.callback,
  reopen: option.callback,
  over: option.callback,
  largeBytes: option.positiveBytes,
  manyKeys: option.integer('', 1),
  maxKeyBytes: option.integer('bytes', 1, 1024),
  timeoutMs: option.integer('ms', 1),
}

/** All promises of core's `ObjectStore`, one check each, in the order of their running. */
export const objectStoreChecks: readonly ObjectStoreCheck[] = [
  ...claimChecks,
  ...attemptChecks,
  ...readChecks,
  ...writeChecks,
  ...listChecks,
  ...manyChecks,
  ...streamChecks,
]

const DEFAULT_TIMEOUT_MS = 120_000

/**
 * Declares one test per promise of core's `ObjectStore`. What the store does not claim is declared as skipped, with the
 * reason in its name. A store that passes may be wrong in ways no test sees: loss of power, faults of the network.
 */
export function objectStoreConformance(runner: TestRunner, config: ObjectStoreConformanceConfig): void {
  checkOptions('objectStoreConformance', config, optionTable)
  const { name = 'ObjectStore', timeoutMs = DEFAULT_TIMEOUT_MS } = config
  declareCases(runner, name, objectStoreConformanceChecks(config), timeoutMs)
}

/** The same as data, for a runner of another shape. Each run makes a store of its own. */
export function objectStoreConformanceChecks(config: ObjectStoreConformanceConfig): readonly ConformanceCase[] {
  checkOptions('objectStoreConformanceChecks', config, optionTable)
  const { at, reopen, over, timeoutMs = DEFAULT_TIMEOUT_MS } = config
  const sizes: CheckSizes = {
    largeBytes: config.largeBytes ?? 64 * 1024 * 1024,
    manyKeys: config.manyKeys ?? 1_100,
    maxKeyBytes: config.maxKeyBytes ?? 1_024,
  }
  const claims: StoreClaims = {
    capabilities: { createIfAbsent: true, compareAndSwap: true, multipart: false, ...config.capabilities },
    listOrder: config.listOrder ?? 'bytes',
    durability: config.durability,
  }
  const runs = (run: (store: ObjectStore) => Promise<void>) => async (): Promise<void> => {
    const store = await within(timeoutMs, config.create())
    try {
      await within(timeoutMs, run(store))
    } finally {
      await within(timeoutMs, config.close?.(store))
    }
  }
  const cases: ConformanceCase[] = [
    { name: 'claims what the suite was told of', run: runs(async (store) => expectClaims(store, claims)) },
  ]
  for (const check of objectStoreChecks) {
    const run = runs((store) => check.run(store, sizes, { at, reopen, over }))
    const skipped = config.cannot?.[check.name] ?? unclaimed(check, claims) ?? unseen(check, config)
    if (skipped === undefined) cases.push({ name: check.name, run })
    // A store that has more than the check is about has nothing to be told.
    else if (check.without === undefined) cases.push({ name: check.name, skipped, run })
  }
  return cases
}

/** What a store says of itself. */
export interface StoreClaims extends Pick<ObjectStore, 'capabilities' | 'listOrder'> {
  /** Undefined: it is not said. */
  readonly durability?: Durability | undefined
}

/** Why a check is not about a store with these claims, or undefined where it is. */
export function unclaimed(
  { needs, without, order, lasting }: ObjectStoreCheck,
  claims: StoreClaims,
): string | undefined {
  const { capabilities, listOrder, durability } = claims
  if (needs !== undefined && capabilities[needs] !== true) return `no ${needs}`
  if (without !== undefined && capabilities[without] === true) return `has ${without}`
  if (order !== undefined && order !== listOrder) return 'its lists have no order'
  return lasting === true && durability === 'memory' ? 'it ends with its process' : undefined
}

function unseen(check: ObjectStoreCheck, { at, reopen, over }: ObjectStoreConformanceConfig): string | undefined {
  if (check.layered === true && over === undefined) return 'no way to put it over another store'
  if (check.byLocation === true && at === undefined) return 'no way to read a location'
  return check.lasting === true && reopen === undefined ? 'no way to open it anew' : undefined
}

function expectClaims(store: ObjectStore, { capabilities, listOrder, durability }: StoreClaims): void {
  const claimed = ({ createIfAbsent, compareAndSwap, multipart, attemptIds = false }: StoreCapabilities): object => ({
    createIfAbsent,
    compareAndSwap,
    multipart,
    attemptIds,
  })
  expectEqual(claimed(store.capabilities), claimed(capabilities), 'the capabilities')
  expectEqual(store.listOrder, listOrder, 'the order of its lists')
  if (durability !== undefined) expectEqual(store.durability, durability, 'what it survives')
}
