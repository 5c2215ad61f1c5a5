/** A writer with hundreds of appends in flight, and what must be true of each whatever ends that. */
import { defaultLimits, isMoulinError } from '@moulin/core'
import type { Appended, Files, SectionHeader, WalLocation, WalWriter } from '@moulin/core'
import { hookedStore, processTable, recordingMeter, seededRandom, simulatedDisk } from '@moulin/testing'
import { virtualClock, virtualRuntime, type VirtualClock, type VirtualRuntime } from '@moulin/testing'
import type { DiskProcess, SeededRandom, SimulatedDisk } from '@moulin/testing'
import { expect } from 'vitest'
import { fileWal } from './file-wal.ts'
import { SEAL_BYTES } from './frame.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

const KiB = 1024

export interface Sizes {
  readonly segmentBytes: number
  readonly maxFlushBytes: number
}

export interface Opened {
  readonly writer: WalWriter
  /** What it found there: where it is, by its partition. */
  readonly told: ReadonlyMap<number, WalLocation>
}

/** A writer as a log opens it, whoever was there before. */
export async function openWriter(runtime: VirtualRuntime, sizes: Sizes): Promise<Opened> {
  const told = new Map<number, WalLocation>()
  const writer = await fileWal({ dir: '/lake/log/wal', segmentBytes: sizes.segmentBytes }).openWriter({
    runtime,
    limits: { ...defaultLimits, ...sizes },
    logId: '6b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a11',
    store: hookedStore(),
    beforeRecovery: async () => {},
    isLive: () => true,
    recover: ({ partition }, at) => void told.set(partition, at),
    takeover: 'newest',
    mustExist: false,
    nextOffset: () => 0n,
  })
  return { writer, told }
}

/** Of one record, the only one of its partition. */
export const headerOf = (partition: number): SectionHeader => ({
  topicId: '1c0f9a3e-7e0b-4c63-8f57-0a4b8d2f6c21',
  incarnation: 0,
  partition,
  baseOffset: 0n,
  lastOffset: 0n,
  recordCount: 1,
  valueSchemaId: 1,
  keySchemaId: 0,
  appendedMs: 1_790_000_000_000,
})

/** What the work comes to, while time passes. */
export async function settled<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = (): void => void (isDone = true)
  work.then(done, done)
  for (let passed = 0; !isDone; passed++) {
    if (passed > 3_000) throw new Error('It did not end')
    await clock.advance(50)
  }
  return work
}

async function hops(count: number): Promise<void> {
  for (let hop = 0; hop < count; hop++) await Promise.resolve()
}

interface Sent {
  readonly number: number
  readonly frees: boolean
  readonly batches: Uint8Array
  ack?: Appended
  error?: unknown
  isReleased?: boolean
}

/** Appends in bursts, of which many are followed by another one as soon as they are answered; some are released or read in that turn. */
class Traffic {
  readonly sent: Sent[] = []
  readonly answered: Sent[] = []
  readonly wrong: string[] = []
  readonly #writer: WalWriter
  readonly #random: SeededRandom
  readonly #count: number
  readonly #odds: Record<'again' | 'released' | 'read' | 'large' | 'frees', number>
  readonly #bytes: number
  readonly #depth: number
  isOver = false

  constructor(writer: WalWriter, random: SeededRandom) {
    this.#writer = writer
    this.#random = random
    this.#count = 300 + random.below(500)
    this.#bytes = random.pick([40, 400, 5_000])
    this.#depth = random.pick([1, 4, 12])
    this.#odds = {
      again: random.pick([0.3, 0.9]),
      released: random.pick([0, 0, 0.3, 1]),
      read: random.pick([0, 0.05]),
      large: random.pick([0, 0.002]),
      frees: random.pick([0, 0.02]),
    }
  }

  get isSent(): boolean {
    return this.isOver || this.sent.length >= this.#count
  }

  /** Acked, and not released. */
  get kept(): readonly Sent[] {
    return this.sent.filter(({ ack, isReleased }) => ack !== undefined && isReleased !== true)
  }

  async run(): Promise<void> {
    while (!this.isSent) {
      const count = Math.min(this.#count - this.sent.length, 1 + this.#random.below(1_200))
      const all = Array.from({ length: count }, () => this.#send())
      await (this.#random.chance(0.5) ? Promise.all(all) : hops(this.#random.below(30)))
    }
  }

  release(one: Sent): void {
    one.isReleased = true
    void this.#writer.release([one.ack!.location])
  }

  async check(one: Sent): Promise<void> {
    const bytes: unknown = await this.#writer.read(one.ack!.location).catch((error: unknown) => error)
    if (one.isReleased === true || this.isOver) return
    if (!isSame(bytes, one.batches)) this.wrong.push(`${one.number} reads as ${String(bytes)}`)
  }

  async #send(): Promise<void> {
    const random = this.#random
    const isLarge = random.chance(this.#odds.large)
    const batches = random.bytes(isLarge ? 20_000 + random.below(100_000) : 10 + random.below(this.#bytes))
    const one: Sent = { number: this.sent.length, frees: random.chance(this.#odds.frees), batches }
    this.sent.push(one)
    const section = { ...headerOf(one.number), batches, ...(one.frees ? { frees: true } : {}) }
    await this.#writer.append(section).then(
      (ack) => (one.ack = ack),
      (error: unknown) => (one.error = error),
    )
    this.answered.push(one)
    if (one.ack !== undefined) {
      if (random.chance(this.#odds.released)) this.release(one)
      else if (random.chance(this.#odds.read)) void this.check(one)
    }
    await hops(random.below(this.#depth))
    if (!this.isSent && random.chance(this.#odds.again)) await this.#send()
  }
}

const faults = {
  none: [],
  close: [],
  fence: [],
  EIO: ['write', 'syncedWrite', 'datasync', 'sync', 'preallocate', 'create', 'truncate', 'stat'],
  NO_SPACE: ['write', 'preallocate', 'create'],
  full: [],
  kill: [],
  crash: [],
  tear: [],
} as const
export type End = keyof typeof faults
export const ends = Object.keys(faults) as readonly End[]

/** What is to befall the writer. Returns what undoes it. */
function order(end: End, disk: SimulatedDisk, process: DiskProcess, random: SeededRandom): () => void {
  if (end === 'EIO' || end === 'NO_SPACE') {
    const call = random.pick<(typeof faults)['EIO' | 'NO_SPACE'][number]>(faults[end])
    // Of a stat the first is asked again.
    const rule = disk.fail({ fault: end, call, nth: 1 + random.below(12), times: call === 'stat' ? 30 : 1 })
    return () => rule.remove()
  }
  if (end === 'full') disk.quotaBytes = (200 + random.below(1_500)) * KiB
  if (end === 'kill' || end === 'crash' || end === 'tear') {
    const when = random.pick(['before', 'during', 'after'] as const)
    process.stopAt({ effect: process.effectCount + 1 + random.below(40), when })
  }
  return () => (disk.quotaBytes = Infinity)
}

/** Many in flight, and how that ends. Throws where the writer broke its word. */
export async function life(seed: number, syncedWrites: boolean, end: End): Promise<void> {
  const random = seededRandom(seed * 31 + ends.indexOf(end))
  const disk = simulatedDisk({ seed, syncedWrites })
  const [clock, processes] = [virtualClock(), processTable()]
  const start = (files: Files): VirtualRuntime => {
    const meter = random.chance(0.3) ? { meter: recordingMeter() } : {}
    return virtualRuntime({ seed, files, clock, processes, ...meter })
  }
  const sizes = { segmentBytes: random.pick([16, 64, 512]) * KiB, maxFlushBytes: random.pick([8, 64, 1024]) * KiB }
  const process = disk.process('first')
  const runtime = start(process.files)
  const { writer } = await settled(clock, openWriter(runtime, sizes))
  const traffic = new Traffic(writer, random)
  const { sent, answered, wrong } = traffic
  const undo = order(end, disk, process, random)

  let closing: Promise<void> | undefined
  let other: Promise<Opened> | undefined
  const at = 1 + random.below(6)
  void traffic.run()
  for (let passed = 0, quiet = 0; quiet < 3 && process.state !== 'dead'; passed++) {
    if (passed > 3_000) throw new Error(`${sent.length - answered.length} appends got no answer`)
    if (end === 'full' || end === 'none' || passed % 7 === 6) await clock.advance(random.below(60))
    else await hops(random.below(60))
    if (passed === at && end === 'close') {
      traffic.isOver = true
      closing = writer.close().then(async () => {
        await hops(20)
        if (sent.length > answered.length) wrong.push('closed, and some got no answer')
      })
    }
    if (passed === at && end === 'fence') other = openWriter(start(disk.process('second').files), sizes)
    if (passed === at && end === 'full') for (const one of traffic.kept) traffic.release(one)
    if (passed === 400) undo()
    quiet = passed > at && traffic.isSent && answered.length === sent.length ? quiet + 1 : 0
  }
  const found = other && (await settled(clock, other))
  if (closing !== undefined) await settled(clock, closing)
  undo()
  expectOrder(answered)
  expectInside(answered, sizes)
  const isAlive = process.state === 'running' && closing === undefined && found === undefined
  if (isAlive) await expectCounted(clock, writer, traffic, random.chance(0.5))
  traffic.isOver = true
  expect(wrong).toEqual([])

  if (end === 'crash' || end === 'tear' || (isAlive && random.chance(0.5))) {
    disk.crash({ tear: end === 'tear' })
    processes.reboot()
  } else if (isAlive) await settled(clock, writer.close())
  if (end !== 'fence') runtime.exit()
  const next = found ?? (await settled(clock, openWriter(start(disk.files), sizes)))
  for (const { number, ack, batches, isReleased } of sent) {
    if (ack === undefined || isReleased === true) continue
    const location = next.told.get(number)
    expect(location, `acked ${number}`).toBeDefined()
    expect(isSame(await settled(clock, next.writer.read(location!)), batches), `bytes of ${number}`).toBe(true)
  }
  const rejected = sent.filter(({ error }) => isMoulinError(error) && error.outcome === 'rejected')
  expect(rejected.filter(({ number }) => next.told.has(number))).toEqual([])
  await settled(clock, next.writer.release([...next.told.values()]))
  expect(next.writer.usage()).toMatchObject({ liveBytes: 0, heldBytes: 0 })
}

/** That of the calls, whatever came of them, but for those that free more than they take; and no place is given twice. */
function expectOrder(answered: readonly Sent[]): void {
  for (const frees of [true, false]) {
    const numbers = answered.filter((one) => one.frees === frees).map(({ number }) => number)
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  }
  const acks = answered.flatMap(({ ack }) => (ack === undefined ? [] : [ack.location]))
  expect(new Set(acks.map(({ segment, position }) => `${segment}:${position}`)).size).toBe(acks.length)
}

/** With room for the seal, but for what has a segment of its own. */
function expectInside(answered: readonly Sent[], { segmentBytes }: Sizes): void {
  for (const { ack } of answered) {
    const { position = 0, sizeBytes = 0 } = ack?.location ?? {}
    if (position > SEGMENT_HEADER_BYTES) expect(position + sizeBytes + SEAL_BYTES).toBeLessThanOrEqual(segmentBytes)
  }
}

/** What is kept reads as it was, and is all that is counted. */
async function expectCounted(
  clock: VirtualClock,
  writer: WalWriter,
  traffic: Traffic,
  releasesAll: boolean,
): Promise<void> {
  for (const one of traffic.kept) if (releasesAll && one.number % 2 === 0) traffic.release(one)
  await settled(clock, Promise.all(traffic.kept.map((one) => traffic.check(one))))
  const keptBytes = traffic.kept.reduce((sum, { ack }) => sum + ack!.location.sizeBytes, 0)
  expect(writer.usage().liveBytes).toBe(keptBytes)
  if (!releasesAll) return
  for (const one of traffic.kept) traffic.release(one)
  await clock.advance(50)
  expect(writer.usage()).toMatchObject({ liveBytes: 0, heldBytes: 0, liveSegments: 0 })
}

const isSame = (bytes: unknown, expected: Uint8Array): boolean =>
  bytes instanceof Uint8Array && Buffer.compare(bytes, expected) === 0
