import type { ObjectStore, OptionTable, Runtime } from '@moulin/core'
import { checkOptions, compareKeys, hasOutcome, isKind, option, systemRuntime, unsupported } from '@moulin/core'
import { checkList, checkRanges } from './probe-reads.ts'
import type { Lie, ProbedStore } from './probed-store.ts'

export interface ProbeOptions {
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'random'>
  /** Where it writes, and removes again what it wrote. Default `log/probe/`. */
  readonly prefix?: string
  readonly signal?: AbortSignal
}

const optionTable: OptionTable<ProbeOptions> = {
  runtime: option.runtimeOf('random'),
  prefix: option.text,
  signal: option.abortSignal,
}

const racers = 8
const ATTEMPTS = 4

/**
 * Proves, on the store itself, what a log builds on: creates and swaps that only one of many racing writers wins, reads
 * that are whole and fresh, exact ranges, complete lists in order, deletes, and attempt ids where it has them. About 70 calls, in S3 twice as many requests, in their own folder below
 * `prefix`, removed again in every case. What it cannot see: the loss of power, and faults that come only now and then.
 *
 * @throws `unsupported` with a code that names the lie: `NO_CREATE_IF_ABSENT`, `CREATE_OVERWRITES`, `CREATE_RACE`,
 * `CREATE_CHANGES_OBJECT`, `STALE_READ`, `TAG_CONSTANT`, `TAG_DIFFERS`, `RANGE_WRONG`, `RANGE_PAST_END`,
 * `SUFFIX_WRONG`, `LIST_INCOMPLETE`, `LIST_ORDER`, `LIST_AFTER`, `SWAP_IGNORES_TAG`, `SWAP_CREATES`, `SWAP_RACE`,
 * `DELETE_MISSING`, `DELETE_KEEPS`, `MISSING_KEY`, `ATTEMPT_IDS_DROPPED`, `ATTEMPT_IDS_EQUAL`. Errors of the environment pass as they are.
 */
export async function probeStore(store: ObjectStore, options: ProbeOptions = {}): Promise<void> {
  checkOptions('probeStore', options, optionTable)
  const lie: Lie = (code, what) =>
    unsupported(code, `${store.name} is not safe to write to: ${what}.`, { context: { store: store.name } })
  if (!store.capabilities.createIfAbsent) throw lie('NO_CREATE_IF_ABSENT', 'it has no atomic create')
  const base = `${options.prefix ?? 'log/probe/'}${(options.runtime ?? systemRuntime()).random.uuid()}/`
  const probed = recorded(store, base, options.signal)
  try {
    await checkMissing(probed.store, lie)
    await checkCreate(probed.store, lie)
    await checkCreateRace(probed.store, lie)
    await checkOverwrite(probed.store, lie)
    await checkRanges(probed.store, lie)
    await checkList(probed.store, lie)
    if (store.capabilities.compareAndSwap) await checkSwap(probed.store, lie)
    if (store.capabilities.attemptIds === true) await checkAttempts(probed.store, lie)
    await checkDelete(probed.store, lie)
  } finally {
    await probed.clean()
  }
}

function recorded(
  store: ObjectStore,
  base: string,
  signal: AbortSignal | undefined,
): { readonly store: ProbedStore; clean(): Promise<void> } {
  const written = new Set<string>()
  const call = signal === undefined ? {} : { signal }
  return {
    store: {
      get: async (key, range) => (await store.get(base + key, range === undefined ? call : { ...call, range })).bytes,
      head: (key) => store.head(base + key, call),
      async put(key, text, mode, attemptId) {
        written.add(base + key)
        const condition = mode === undefined ? {} : { mode, ...(attemptId === undefined ? {} : { attemptId }) }
        const { etag } = await store.put(base + key, encoded(text), { ...call, ...condition })
        return etag
      },
      delete: (key) => store.delete(base + key, call),
      async list(prefix, after) {
        const keys: string[] = []
        const from = after === undefined ? {} : { after: base + after }
        for await (const { key } of store.list({ ...call, ...from, prefix: base + prefix }))
          keys.push(key.slice(base.length))
        // Whoever lists in no order says so: what is listed counts.
        return store.listOrder === 'none' ? keys.sort(compareKeys) : keys
      },
    },
    // Without the signal: an aborted probe cleans up too. A failure here would only hide why the probe failed.
    async clean() {
      await store.deleteMany([...written]).catch(() => {})
    },
  }
}

async function checkMissing(store: ProbedStore, lie: Lie): Promise<void> {
  if ((await store.head('missing')) !== undefined) throw lie('MISSING_KEY', 'it shows an object that nobody put')
  if (!isKind(await answerOf(store.get('missing')), 'not-found'))
    throw lie('MISSING_KEY', 'it reads a missing object without saying that it is not found')
  if ((await answerOf(store.delete('missing'))) !== undefined)
    throw lie('DELETE_MISSING', 'it does not take the delete of a missing object')
}

async function checkCreate(store: ProbedStore, lie: Lie): Promise<void> {
  const etag = await store.put('create', 'first', 'create')
  await expectText(store, 'create', 'first', lie)
  const info = await store.head('create')
  if (info?.etag !== etag || info.size !== 5) throw lie('TAG_DIFFERS', 'head shows another tag or size than put did')
  const second = await failureOf(store.put('create', 'second', 'create'))
  if (second === undefined) throw lie('CREATE_OVERWRITES', 'a create of an existing object succeeds')
  if (!isKind(second, 'exists')) throw second
  if (decoded(await store.get('create')) !== 'first')
    throw lie('CREATE_CHANGES_OBJECT', 'a create that it refused has changed the object')
}

async function checkCreateRace(store: ProbedStore, lie: Lie): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const key = `race-${round}`
    const raced = await race((racer) => store.put(key, `racer ${racer}`, 'create'), 'exists')
    if (!isOne(raced))
      throw lie('CREATE_RACE', `of ${racers} creates of one object at the same time, ${raced.winners.length} succeeded`)
    if (!isOf(await store.get(key), raced))
      throw lie('CREATE_RACE', 'the object that racing creates left is not that of the winner')
  }
}

async function checkOverwrite(store: ProbedStore, lie: Lie): Promise<void> {
  const tags = new Set<string>()
  for (const text of ['one', 'two', 'six']) {
    const etag = await store.put('overwrite', text)
    await expectText(store, 'overwrite', text, lie)
    if ((await store.head('overwrite'))?.etag !== etag)
      throw lie('STALE_READ', 'head does not show the newest version at once')
    tags.add(etag)
  }
  if (tags.size !== 3) throw lie('TAG_CONSTANT', 'the tag stays the same while the bytes change')
}

async function checkSwap(store: ProbedStore, lie: Lie): Promise<void> {
  const first = await store.put('swap', 'first')
  const second = await store.put('swap', 'second', { ifMatch: first })
  const stale = await failureOf(store.put('swap', 'stale', { ifMatch: first }))
  if (stale === undefined) throw lie('SWAP_IGNORES_TAG', 'a swap with an old tag succeeds')
  if (!isKind(stale, 'conflict')) throw stale
  const missing = await failureOf(store.put('swap-missing', 'x', { ifMatch: second }))
  if (missing === undefined) throw lie('SWAP_CREATES', 'a swap of a missing object creates it')
  if (!isKind(missing, 'conflict')) throw missing
  const raced = await race((racer) => store.put('swap', `racer ${racer}`, { ifMatch: second }), 'conflict')
  if (!isOne(raced))
    throw lie('SWAP_RACE', `of ${racers} swaps of one version at the same time, ${raced.winners.length} succeeded`)
  if (!isOf(await store.get('swap'), raced))
    throw lie('SWAP_RACE', 'the object that racing swaps left is not that of the winner')
}

/** A store that drops user metadata takes a write that is repeated for somebody else's. */
async function checkAttempts(store: ProbedStore, lie: Lie): Promise<void> {
  const what = 'it does not know a create again that is repeated under its attempt id: it may drop user metadata'
  const etag = await store.put('attempt', 'first', 'create', 'attempt-1')
  let again: string | undefined
  // An `exists` of unknown outcome: the adapter has read no id. Twice in a row that may be the network.
  for (let tries = 1; again === undefined && tries <= ATTEMPTS; tries++) {
    again = await store.put('attempt', 'first', 'create', 'attempt-1').catch((error: unknown) => {
      if (!isKind(error, 'exists')) throw error
      if (!hasOutcome(error, 'unknown')) throw lie('ATTEMPT_IDS_DROPPED', what)
      return undefined
    })
  }
  if (again !== etag) throw lie('ATTEMPT_IDS_DROPPED', what)
  const other = await failureOf(store.put('attempt', 'first', 'create', 'attempt-2'))
  if (other === undefined) throw lie('ATTEMPT_IDS_EQUAL', 'it takes the create of another for one that is repeated')
  if (!isKind(other, 'exists')) throw other
}

async function checkDelete(store: ProbedStore, lie: Lie): Promise<void> {
  await store.put('delete', 'x')
  await store.delete('delete')
  if ((await store.head('delete')) !== undefined || (await store.list('delete')).length > 0)
    throw lie('DELETE_KEEPS', 'a deleted object is still there')
  if ((await answerOf(store.put('delete', 'y', 'create'))) !== undefined)
    throw lie('DELETE_KEEPS', 'the name of a deleted object cannot be created again')
}

/** Racers by number. */
interface Race {
  readonly winners: readonly number[]
  /** Who lost, as far as they know: an answer was lost on the way, and one of them may have won. */
  readonly unknown: readonly number[]
}

/** Those that succeeded; the others must have failed with `lost`. */
async function race(run: (racer: number) => Promise<unknown>, lost: 'exists' | 'conflict'): Promise<Race> {
  const results = await Promise.allSettled(Array.from({ length: racers }, (_, racer) => run(racer)))
  const winners: number[] = []
  const unknown: number[] = []
  results.forEach((result, racer) => {
    if (result.status === 'fulfilled') winners.push(racer)
    else if (!isKind(result.reason, lost)) throw result.reason
    else if (hasOutcome(result.reason, 'unknown')) unknown.push(racer)
  })
  return { winners, unknown }
}

const isOne = ({ winners, unknown }: Race): boolean =>
  winners.length === 1 || (winners.length === 0 && unknown.length > 0)

const isOf = (bytes: Uint8Array, { winners, unknown }: Race): boolean =>
  (winners.length > 0 ? winners : unknown).some((racer) => decoded(bytes) === `racer ${racer}`)

async function expectText(store: ProbedStore, key: string, text: string, lie: Lie): Promise<void> {
  const failure = await store.get(key).then(
    (bytes) => (decoded(bytes) === text ? undefined : 'shows other bytes'),
    (error: unknown) => {
      if (isKind(error, 'not-found')) return 'does not find it'
      throw error
    },
  )
  if (failure !== undefined) throw lie('STALE_READ', `a read right after a put ${failure}`)
}

async function failureOf(promise: Promise<unknown>): Promise<Error | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => error as Error,
  )
}

/** What the store says against it; what keeps it from saying anything, such as the network or a missing permission, is thrown. */
async function answerOf(promise: Promise<unknown>): Promise<Error | undefined> {
  const error = await failureOf(promise)
  if (isKind(error, 'unavailable') || isKind(error, 'aborted')) throw error
  return error
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
