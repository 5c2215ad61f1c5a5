import { atMost, compareKeys, isKind, unsupported } from '@moulin/core'
import type { ObjectStore, Runtime } from '@moulin/core'
import type { Finding, Latency } from './doctor-report.ts'
import { fault, good, warning } from './doctor-report.ts'

/** The room of a patient, and what measures it. */
export interface Examined {
  readonly room: ObjectStore
  readonly runtime: Runtime
}

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text)
const decoded = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** In a tree `x/b` stands before `x-b` and `x.b`; by bytes behind them. */
const treeKeys = ['order/x/b', 'order/x-b', 'order/x.b', 'order/é', 'order/z'] as const

/** @throws `unsupported` code `LIST_ORDER` where an order by bytes was promised and is not kept. */
export async function checkOrder({ room }: Examined): Promise<Finding> {
  for (const key of treeKeys) await room.put(key, encoded(key))
  const listed: string[] = []
  for await (const { key } of room.list({ prefix: 'order/' })) listed.push(key)
  const sorted = treeKeys.toSorted(compareKeys)
  if (listed.toSorted(compareKeys).join() !== sorted.join())
    return fault(
      'list order',
      'LIST_INCOMPLETE',
      `a list shows ${listed.join(', ')} where ${sorted.join(', ')} were put`,
    )
  if (room.listOrder === 'none') return good('list order', 'none was promised: lists are sorted here')
  if (listed.join() === sorted.join()) return good('list order', 'by bytes, as promised')
  throw unsupported('LIST_ORDER', `${room.name} lists ${listed.join(', ')}, which is not the order of their bytes.`)
}

const WRITERS = 4
const STEPS = 5
/** Somebody wins each round: whoever loses so often is never let in. */
const MOST_LOSSES = 1_000

/**
 * Writers that write themselves into one object, step by step, each by swaps of what it read: nobody is lost, or somebody overwrote another.
 * By name, so that whoever was there already, by a swap whose answer was lost, does not count twice.
 */
export async function checkCounter({ room }: Examined): Promise<Finding> {
  const key = 'counter'
  await room.put(key, encoded(''))
  let lost = 0
  const namesIn = async (): Promise<{ readonly names: readonly string[]; readonly etag: string }> => {
    const { bytes, etag } = await room.get(key)
    return { names: decoded(bytes).split(' ').filter(Boolean), etag }
  }
  const count = async (writer: number): Promise<void> => {
    for (let step = 0; step < STEPS && lost < MOST_LOSSES;) {
      const name = `${writer}.${step}`
      const { names, etag } = await namesIn()
      if (!names.includes(name)) {
        try {
          await room.put(key, encoded([...names, name].join(' ')), { mode: { ifMatch: etag } })
        } catch (error) {
          if (!isKind(error, 'conflict')) throw error
          lost++
          continue
        }
      }
      step++
    }
  }
  await atMost(
    WRITERS,
    Array.from({ length: WRITERS }, (_, writer) => writer),
    count,
  )
  const counted = new Set((await namesIn()).names).size
  if (lost >= MOST_LOSSES)
    return fault('swaps under a race', 'SWAP_REFUSED', `${lost} swaps were refused, and none let in`)
  if (counted !== WRITERS * STEPS)
    return fault(
      'swaps under a race',
      'SWAP_LOST',
      `${WRITERS} writers counted to ${WRITERS * STEPS}, and ${counted} is there`,
    )
  return good(
    'swaps under a race',
    `${WRITERS} writers counted to ${counted} in one object; ${lost} swaps were refused on the way`,
  )
}

const SKEW_WARNING_MS = 5_000
/** From here on services refuse signatures. */
const SKEW_FAULT_MS = 15 * 60_000

/** The store's own time of a put, against ours around it. Services tell whole seconds. */
export async function checkClock({ room, runtime: { clock } }: Examined): Promise<Finding> {
  const beforeMs = clock.now()
  await room.put('clock', encoded('now'))
  const afterMs = clock.now()
  const info = await room.head('clock')
  if (info === undefined) return fault('clock', 'STALE_READ', 'an object that was just put is not there')
  const { modifiedMs } = info
  const ahead = Math.max(0, modifiedMs - afterMs)
  const behind = Math.max(0, beforeMs - (modifiedMs + 1_000))
  const off = Math.round(Math.max(ahead, behind))
  const says =
    off === 0
      ? 'the clocks agree, to the second'
      : `the store's clock is ${off} ms ${ahead > 0 ? 'ahead of' : 'behind'} ours`
  if (off >= SKEW_FAULT_MS) return fault('clock', 'CLOCK_SKEW', `${says}: set the clock of this machine`)
  if (off >= SKEW_WARNING_MS)
    return warning('clock', 'CLOCK_SKEW', `${says}: one of them is wrong, and times of records with it`)
  return good('clock', says)
}

export interface Sampled {
  readonly latencies: readonly Latency[]
  readonly finding: Finding
}

const SAMPLE_BYTES = 1_024

/** Calls of each operation, one after the other, and whether each read shows the write before it. */
export async function sample({ room, runtime }: Examined, samples: number): Promise<Sampled> {
  const { clock, random } = runtime
  const times = new Map<string, number[]>()
  const timed = async <T>(operation: string, call: () => Promise<T>): Promise<T> => {
    const startMs = clock.monotonic()
    const answer = await call()
    const known = times.get(operation)
    const ms = clock.monotonic() - startMs
    if (known === undefined) times.set(operation, [ms])
    else known.push(ms)
    return answer
  }
  let stale = 0
  const expectSame = (isSame: boolean): void => {
    if (!isSame) stale++
  }
  for (let at = 0; at < samples; at++) {
    const key = `sample/${at}`
    const bytes = random.bytes(SAMPLE_BYTES)
    const { etag } = await timed('create', () => room.put(key, bytes, { mode: 'create' }))
    expectSame(Buffer.compare((await timed('get', () => room.get(key))).bytes, bytes) === 0)
    expectSame((await timed('head', () => room.head(key)))?.etag === etag)
    const other = bytes.toReversed()
    const { etag: second } = await timed('put', () => room.put(key, other))
    const again = await room.get(key)
    expectSame(again.etag === second && Buffer.compare(again.bytes, other) === 0)
    if (room.capabilities.compareAndSwap) await timed('swap', () => room.put(key, bytes, { mode: { ifMatch: second } }))
    expectSame(await timed('list', () => isListed(room, key)))
    await timed('delete', () => room.delete(key))
    expectSame((await room.head(key)) === undefined)
  }
  const finding =
    stale === 0
      ? good('read after write', `each of ${samples * 5} reads showed the write before it`)
      : fault('read after write', 'STALE_READ', `${stale} of ${samples * 5} reads did not show the write before them`)
  return { latencies: Array.from(times, ([operation, each]) => latencyOf(operation, each)), finding }
}

async function isListed(room: ObjectStore, wanted: string): Promise<boolean> {
  for await (const { key } of room.list({ prefix: wanted })) if (key === wanted) return true
  return false
}

function latencyOf(operation: string, each: readonly number[]): Latency {
  const sorted = each.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!
  return { operation, calls: each.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}
