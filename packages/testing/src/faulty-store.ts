import type { ObjectInfo, ObjectStore, SmallObjectStore } from '@moulin/core'
import { defineObjectStore, throwIfAborted } from '@moulin/core'
import type { FaultRule, Faults } from './fault-plan.ts'
import { FaultPlan } from './fault-plan.ts'

export type StoreOperation = 'get' | 'head' | 'put' | 'delete' | 'list'

/** A store whose calls fail by order. */
export interface FaultyStore extends ObjectStore, Faults<StoreOperation> {}

/**
 * The same store, but its calls fail where `rules` say so: `unavailable`, code `FAULT`. A list fails at its first step
 * and is read whole before it. The bytes of a late put are kept as they were at the call. `getRanges`, `deleteMany` and `putStream` are
 * made of single calls, each of which can fail.
 */
export function faultyStore(store: ObjectStore, rules: readonly FaultRule<StoreOperation>[] = []): FaultyStore {
  const plan = new FaultPlan(rules)
  return defineObjectStore<SmallObjectStore & Faults<StoreOperation>>({
    name: `faulty(${store.name})`,
    root: store.root,
    aliases: store.aliases ?? [],
    capabilities: { ...store.capabilities, multipart: false },
    durability: store.durability,
    listOrder: store.listOrder,
    get: (key, options) => plan.run('get', key, () => store.get(key, options)),
    head: (key, options) => plan.run('head', key, () => store.head(key, options)),
    put(key, bytes, options) {
      const kept = new Uint8Array(bytes)
      return plan.run('put', key, () => store.put(key, kept, options))
    },
    delete: (key, options) => plan.run('delete', key, () => store.delete(key, options)),
    async *list(options) {
      const infos = await plan.run('list', options?.prefix ?? '', async () => {
        const found: ObjectInfo[] = []
        for await (const info of store.list(options)) found.push(info)
        return found
      })
      for (const info of infos) {
        throwIfAborted(options?.signal)
        yield info
      }
    },
    ...faultsOf(plan),
  })
}

/** The test's side of a plan, as plain properties. */
export function faultsOf<Operation extends string>(plan: FaultPlan<Operation>): Faults<Operation> {
  return {
    calls: plan.calls,
    countCalls: (match) => plan.countCalls(match),
    addRule: (rule) => plan.addRule(rule),
    applyLate: () => plan.applyLate(),
    countLate: () => plan.countLate(),
  }
}
