import { defaultLimits, systemRuntime } from '@moulin/core'
import type {
  Appended,
  Limits,
  NextOffset,
  TornTail,
  Wal,
  WalOptions,
  WalReader,
  WalReaderOptions,
  WalSession,
  WalWriter,
  WalWriterOptions,
} from '@moulin/core'
import { failure } from './assertions.ts'
import type { WalPlace, WalProcess } from './wal-place.ts'
import type { Life, SentSection, Told } from './wal-told.ts'
import { endOf, lifeOf } from './wal-told.ts'
import type { TrialSection, TrialSectionOptions } from './wal-sections.ts'
import { sequencedBytes, TRIAL_LOG, trialSection } from './wal-sections.ts'

/** Small, so that a few sections make several flushes and segments. */
export const trialLimits: Limits = { ...defaultLimits, maxFlushBytes: 64 * 1024, segmentBytes: 64 * 1024 }

/** How often time passes before a check gives up: far more than what any Wal waits for. */
const PATIENCE = 3_000
/** The same in real time. */
const PATIENCE_MS = 20_000

/** What a check appended, and what must come back of it. */
export interface Sent extends SentSection {
  readonly section: TrialSection
  readonly acked: Promise<Appended>
  ack: Appended | undefined
  error: Error | undefined
}

/** The place of one check, and what the check has open there. */
export class WalTrial {
  readonly place: WalPlace
  readonly offsets: Wal['offsets']
  readonly #timers = systemRuntime().timers
  readonly #clock = systemRuntime().clock
  readonly #open: WalSession[] = []
  #isOver = false

  constructor(place: WalPlace, offsets: Wal['offsets']) {
    this.place = place
    this.offsets = offsets
  }

  async openWriter(
    process: WalProcess = this.place.start(),
    options: Partial<WalWriterOptions> = {},
  ): Promise<TrialWriter> {
    const told: Told[] = []
    const torn: TornTail[] = []
    const { nextOffset = () => 0n } = options
    const writer = await this.settled(
      process.wal.openWriter({
        ...this.#options(process, told),
        takeover: 'newest',
        mustExist: false,
        nextOffset: (...life) => endOf(told, lifeFrom(life)) ?? 0n,
        onTornTail: (tail) => void torn.push(tail),
        ...options,
      }),
    )
    this.#open.push(writer)
    return new TrialWriter(this, process, writer, { told, torn, nextOffset })
  }

  async openReader(
    process: WalProcess = this.place.start(),
    options: Partial<WalReaderOptions> = {},
  ): Promise<TrialReader> {
    const told: Told[] = []
    const all = { ...this.#options(process, told), isAcked: () => false, ...options }
    const reader = await this.settled(process.wal.openReader(all))
    this.#open.push(reader)
    return { process, reader, told }
  }

  #options({ runtime }: WalProcess, told: Told[]): WalOptions {
    return {
      runtime,
      limits: trialLimits,
      logId: TRIAL_LOG,
      store: this.place.store,
      beforeRecovery: async () => {},
      isLive: () => true,
      recover: (header, at) => void told.push({ header, at }),
    }
  }

  /** What the work comes to, while time passes. */
  async settled<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = (): void => void (isDone = true)
    work.then(done, done)
    await this.until(() => isDone, 'an answer')
    return work
  }

  /** Lets time pass until it is so. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const begunMs = this.#clock.monotonic()
    for (let passed = 0; !condition(); passed++) {
      const isLate = this.place.pass === undefined ? this.#clock.monotonic() - begunMs > PATIENCE_MS : passed > PATIENCE
      if (isLate) throw failure(`${what} did not come`)
      if (this.#isOver) throw failure('the check has ended')
      await (this.place.pass?.() ?? this.#timers.turn())
    }
  }

  /** Lets the event loop go round: what has been begun may go on. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await this.#timers.turn()
  }

  /** Lets so much time pass that whatever looks now and then has looked. */
  async aWhile(): Promise<void> {
    if (this.place.pass === undefined) await this.#timers.sleep(1_500)
    else for (let passed = 0; passed < 100; passed++) await this.place.pass()
  }

  /** After the check: what it left open is closed, as far as that goes. */
  async end(): Promise<void> {
    await Promise.race([
      Promise.all(this.#open.map((session) => session.close().catch(() => undefined))),
      this.aWhile().catch(() => undefined),
    ])
    this.#isOver = true
    await this.place.close?.()
  }
}

const lifeFrom = ([topicId, incarnation, partition]: Parameters<NextOffset>): Life => ({
  topicId,
  incarnation,
  partition,
})

export interface TrialReader {
  readonly process: WalProcess
  readonly reader: WalReader
  readonly told: readonly Told[]
}

/** What a writer was told, and tells, of where partitions go on. */
interface TrialTold {
  readonly told: readonly Told[]
  readonly torn: readonly TornTail[]
  readonly nextOffset: NextOffset
}

/** A writer that knows what it has appended. Where offsets are given, it gives them, as `single` does. */
export class TrialWriter {
  readonly trial: WalTrial
  readonly process: WalProcess
  readonly writer: WalWriter
  readonly told: readonly Told[]
  readonly torn: readonly TornTail[]
  readonly sent: Sent[] = []
  /** In the order of their acks. */
  readonly acked: Sent[] = []
  #next = new Map<string, bigint>()
  readonly #durable = new Map<string, bigint>()
  readonly #nextOffset: NextOffset
  #rejections: number

  constructor(trial: WalTrial, process: WalProcess, writer: WalWriter, { told, torn, nextOffset }: TrialTold) {
    this.trial = trial
    this.process = process
    this.writer = writer
    this.told = told
    this.torn = torn
    this.#nextOffset = nextOffset
    this.#rejections = writer.rejections
  }

  append(options: TrialSectionOptions): Sent {
    const section = trialSection(options)
    if (this.#rejections !== this.writer.rejections) {
      this.#rejections = this.writer.rejections
      this.#next = new Map(this.#durable)
    }
    const life = lifeOf(section)
    const { topicId, incarnation, partition } = section
    const begins = endOf(this.told, section) ?? this.#nextOffset(topicId, incarnation, partition)
    const baseOffset = this.#next.get(life) ?? begins
    const lastOffset = baseOffset + BigInt(section.recordCount) - 1n
    this.#next.set(life, lastOffset + 1n)
    const { batches, ...facts } = section
    const header = { ...facts, appendedMs: 1_790_000_000_000 + options.seed, baseOffset, lastOffset }
    const bytes = sequencedBytes(section, baseOffset)
    const given = { ...facts, appendedMs: header.appendedMs }
    const acked = this.writer.append(
      this.trial.offsets === 'given'
        ? { ...given, baseOffset, lastOffset, batches: new Uint8Array(bytes) }
        : { ...given, batches: new Uint8Array(batches) },
    )
    const sent: Sent = { section, header, bytes, acked, ack: undefined, error: undefined }
    this.sent.push(sent)
    acked.then(
      (ack) => {
        sent.ack = ack
        this.#durable.set(life, lastOffset + 1n)
        this.acked.push(sent)
      },
      (error: Error) => {
        sent.error = error
      },
    )
    return sent
  }

  /** Appends, and waits for the ack. */
  async write(options: TrialSectionOptions): Promise<Sent> {
    const sent = this.append(options)
    await this.trial.settled(sent.acked)
    return sent
  }

  async writeAll(seeds: readonly number[], options: Omit<TrialSectionOptions, 'seed'> = {}): Promise<Sent[]> {
    const sent = seeds.map((seed) => this.append({ ...options, seed }))
    await this.trial.settled(Promise.all(sent.map(({ acked }) => acked)))
    return sent
  }

  async close(): Promise<void> {
    await this.trial.settled(this.writer.close())
  }
}
