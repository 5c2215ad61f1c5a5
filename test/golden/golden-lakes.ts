import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { byValue, day, schema, systemFiles, t } from '@moulin/core'
import type { Log, ProducerRecord, Topic } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { virtualClock, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { openGolden } from './golden-store.ts'

/** One golden folder: how it comes to be. What must be read from it stands beside it, in `<name>.json`. */
export interface GoldenLake {
  readonly name: string
  /** Writes the lake into an empty folder. */
  make(dir: string, runtime: VirtualRuntime): Promise<void>
}

/** A process whose chance and clock are the same at every run: what it writes is the same, byte for byte, but for its place. */
export function goldenRuntime(seed: number): VirtualRuntime {
  const clock = virtualClock({ startMs: Date.UTC(2026, 10, 29) })
  return virtualRuntime({ seed, clock, files: systemFiles() })
}

const FIRST_MS = Date.UTC(2026, 10, 28)

const Flat = schema({
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  double: t.double,
  small: t.decimal(9, 2),
  large: t.decimal(38, 10),
  string: t.string.optional(),
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(3),
  date: t.date,
  time: t.time,
  time_micros: t.time.micros,
  timestamp: t.timestamp,
  timestamp_micros: t.timestamp.micros,
  timestamptz: t.timestamptz,
  timestamptz_micros: t.timestamptz.micros,
  tags: t.list(t.string.optional()),
  place: t.struct({ x: t.double, label: t.string.optional() }).optional(),
  counts: t.map(t.string, t.list(t.int)),
})

/** Every type, all of it following from `id`. */
function flat(id: number): Record<string, unknown> {
  return {
    boolean: id % 2 === 0,
    int: id - 3,
    int53: 2 ** 53 - 1 - id,
    long: BigInt(id) - 2n ** 62n,
    float: Math.fround(id / 3),
    double: id / 7,
    small: `${id - 2}.05`,
    large: `-1234567890123456789012345678.01234567${String(10 + (id % 90))}`,
    string: id % 4 === 0 ? null : `Zürich ${id} 🏔`,
    binary: Uint8Array.of(id, 255, 0),
    uuid: `00112233-4455-6677-8899-aabbccddee${String(10 + (id % 90))}`,
    fixed: Uint8Array.of(1, id, 3),
    date: '1969-12-31',
    time: 86_399_999 - id,
    time_micros: 86_399_999_999n - BigInt(id),
    timestamp: new Date(Date.UTC(1900, 0, 1 + id)),
    timestamp_micros: -1n - BigInt(id),
    timestamptz: new Date(Date.UTC(2100, 1, 1 + id)),
    timestamptz_micros: 253_402_300_800_000_001n + BigInt(id),
    tags: id % 3 === 0 ? [] : [`tag ${id}`, null],
    place: id % 5 === 0 ? null : { x: id / 2, label: id % 2 === 0 ? null : 'here' },
    counts: new Map([
      ['a', [id]],
      ['b', []],
    ]),
  }
}

/** Records of bytes: with and without key, value and headers. */
function raw(from: number, to: number): ProducerRecord<Uint8Array>[] {
  return Array.from({ length: to - from }, (_, at) => {
    const id = from + at
    return {
      key: id % 3 === 0 ? null : `key-${id}`,
      value: id % 7 === 3 ? null : Buffer.from(`value ${id}`),
      headers: id % 2 === 0 ? { trace: String(id), empty: null } : {},
      timestamp: BigInt(FIRST_MS + id * 1000),
    }
  })
}

async function send<T>(topic: Topic<T>, records: Iterable<ProducerRecord<T>>): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  for (const record of records) await producer.send(record)
  await producer.close()
}

async function rawTopic(log: Log, name: string, partitions = 1): Promise<Topic<Uint8Array>> {
  return log.ensureTopic(name, { partitions, partitionBy: [] })
}

const every = (from: number, to: number): ProducerRecord<never>[] =>
  Array.from({ length: to - from }, (_, at) => ({
    key: `k${from + at}`,
    value: (from + at) % 6 === 5 ? null : (flat(from + at) as never),
    timestamp: BigInt(FIRST_MS + from + at),
  }))

/** Every state that a topic may be in, over three epochs. */
async function states(dir: string, runtime: VirtualRuntime): Promise<void> {
  const first = await openGolden(dir, runtime)
  const codecs = { avro: avro(Flat), json: json(Flat) }
  for (const [name, value] of Object.entries(codecs)) {
    const topic = await first.ensureTopic(`types-${name}`, {
      value,
      partitionBy: [day('timestamptz'), byValue('int')],
    })
    await send(topic, every(0, 12))
    await topic.tier()
  }
  const released = await rawTopic(first, 'released', 2)
  await send(released, raw(0, 20))
  await released.tier()
  const wide = await rawTopic(first, 'wide', 60)
  await send(
    wide,
    raw(0, 60).map((record, partition) => ({ ...record, partition })),
  )
  await wide.tier()
  await first.releaseNow()
  await first.close()

  const second = await openGolden(dir, runtime)
  await send(await rawTopic(second, 'hot', 2), raw(0, 10))
  await send(await rawTopic(second, 'released', 2), raw(20, 30))
  const tiered = await rawTopic(second, 'tiered')
  await send(tiered, raw(0, 10))
  await tiered.tier()
  await second.close()

  const third = await openGolden(dir, runtime)
  await send(await rawTopic(third, 'hot', 2), raw(10, 15))
  await send(await rawTopic(third, 'tiered'), raw(10, 14))
  await send(await third.topic('types-json'), every(12, 15))
  await send(await rawTopic(third, 'wide', 60), raw(60, 62))
  await third.close()
}

/** What a killed process leaves: an open epoch behind a closed one. */
async function killed(dir: string, runtime: VirtualRuntime): Promise<void> {
  const first = await openGolden(dir, runtime)
  const topic = await rawTopic(first, 'events', 2)
  await send(topic, raw(0, 12))
  await topic.tier()
  await send(topic, raw(12, 20))
  await first.close()
  const living = `${dir}.living`
  await cp(dir, living, { recursive: true })
  const second = await openGolden(living, runtime)
  await send(await rawTopic(second, 'events', 2), raw(20, 40))
  await cp(living, dir, { recursive: true, force: true })
  await second.close()
  await rm(living, { recursive: true })
}

/** The same, cut off in the middle of its last write. */
async function torn(dir: string, runtime: VirtualRuntime): Promise<void> {
  await killed(dir, runtime)
  const folder = join(dir, 'log/wal/epoch-2')
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.wal')).sort()) {
    const bytes = await readFile(join(folder, name))
    if (!bytes.includes('MWLF')) continue
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    await writeFile(join(folder, name), bytes.fill(0, end - 12, end))
  }
}

export const goldenLakes: readonly GoldenLake[] = [
  { name: 'states', make: states },
  { name: 'killed', make: killed },
  { name: 'torn', make: torn },
]
