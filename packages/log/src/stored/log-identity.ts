import {
  corrupt,
  exists,
  formatCaps,
  invalid,
  isSameLocation,
  loadStored,
  mayBeThere,
  notFound,
  storedBytes,
  stringField,
  type ObjectStore,
  type Runtime,
  type Wal,
} from '@moulin/core'
import { withWayBack } from './stored-damage.ts'
import { identityKind } from './stored-kinds.ts'

const KEY = 'moulin.json'
/** Left behind by a probe of the store that was cut off: no reason to refuse the place. */
export const PROBE_PREFIX = 'log/probe/'

export interface IdentityOptions {
  readonly access: 'read-write' | 'read-only'
  readonly wal: Wal
  readonly runtime: Runtime
  readonly probe: ((store: ObjectStore) => Promise<void>) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The UUID of the log in this store; a new one for an empty store opened for writing.
 * @throws `exists` code `NOT_A_LOG` when the place holds something else; `corrupt` code `OTHER_LOG` when it is empty and the
 * write-ahead data is of another log; `invalid` code `MOVED`; `unsupported` for a format from the future; `not-found` code `NO_LOG` when there is nothing to read.
 */
export async function logIdentity(store: ObjectStore, options: IdentityOptions): Promise<string> {
  const { access, runtime, probe, signal } = options
  let known = await loadIdentity(store, signal)
  if (access === 'read-write') {
    // Somebody else's place is refused before the probe writes into it.
    if (known === undefined) {
      known = (await refuseOccupied(store, signal)) ?? (await refuseOthersWal(store, options))
    }
    await probe?.(store)
  }
  if (known !== undefined) return known
  if (access === 'read-only') {
    throw notFound('NO_LOG', `There is no log in ${store.name}: open it for writing first, or check the place.`)
  }
  const logId = runtime.random.uuid()
  try {
    const call = signal === undefined ? {} : { signal }
    await store.put(KEY, storedBytes(identityKind, { logId, root: store.root }, 2), { ...call, mode: 'create' })
    return logId
  } catch (error) {
    // Another opener was first, or our own answer was lost: whatever is there now is the log.
    if (!mayBeThere(error)) throw error
    const present = await loadIdentity(store, signal)
    if (present === undefined) throw error
    return present
  }
}

async function loadIdentity(store: ObjectStore, signal: AbortSignal | undefined): Promise<string | undefined> {
  const json = await withWayBack(loadStored(store, identityKind, KEY, formatCaps.maxJsonBytes, signal))
  if (json === undefined) return undefined
  const root = stringField(json, 'root', KEY)
  if (!isSameLocation(root, store.root)) {
    throw invalid(
      'MOVED',
      `This log was made at ${root} and is now at ${store.root}. Its tables name their files by that place: move it back.`,
      { context: { root, found: store.root } },
    )
  }
  return stringField(json, 'logId', KEY)
}

/** A log's first object is there before its write-ahead data. Undefined where there is neither. */
async function refuseOthersWal(
  store: ObjectStore,
  { wal, runtime, signal }: IdentityOptions,
): Promise<string | undefined> {
  const found = await wal.logId?.(signal === undefined ? { runtime } : { runtime, signal })
  if (found === undefined) return undefined
  // Another opener may have begun the log since we looked.
  const known = await loadIdentity(store, signal)
  if (known !== undefined) return known
  const message = `${store.name} is empty, and ${wal.name} holds the write-ahead data of log ${found}: open the place of that log, the right bucket and prefix, or for a new log name a new write-ahead folder.`
  throw corrupt('OTHER_LOG', message, { context: { store: store.name, wal: wal.name, found } })
}

/** A log that another opener began since we looked; undefined for an empty place. */
async function refuseOccupied(store: ObjectStore, signal: AbortSignal | undefined): Promise<string | undefined> {
  for await (const { key } of store.list(signal === undefined ? {} : { signal })) {
    if (key.startsWith(PROBE_PREFIX)) continue
    const known = await loadIdentity(store, signal)
    if (known !== undefined) return known
    const message = `${store.name} holds other things (${key}) and no ${KEY}: a log needs an empty place of its own.`
    // A log whose first object got lost.
    const wayBack = key.startsWith('log/') ? ` If it is a log, \`moulin repair\` can write ${KEY} anew.` : ''
    throw exists('NOT_A_LOG', `${message}${wayBack}`, { context: { key } })
  }
  return undefined
}
