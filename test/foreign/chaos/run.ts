import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@moulin/testing'
import type { SeededRandom } from '@moulin/testing'
import { byValue, isMoulinError, objectStoreCatalog, openLog, openTable, systemRuntime, fileSystem } from 'moulin'
import type { Log, OpenTable, Topic, TopicConfig } from 'moulin'
import { expect } from 'vitest'
import { engineError } from '../engines.ts'
import { newestVersion } from '../registered-table.ts'
import { Beside, BYSTANDER_ID, noHands } from './beside.ts'
import type { Hands } from './beside.ts'
import { checkLog, checkOpenTable, checkSpark } from './checks.ts'
import { stepsOf } from './list.ts'
import type { Step } from './list.ts'
import { Model } from './model.ts'
import { expectedVerdict } from './lineage.ts'
import type { Feature, Operation, Outcome, Scene } from './operation.ts'
import type { LogWork, OurSide } from './our-side.ts'
import { isRefusal } from './refusals.ts'
import { codecs, PARTITIONS, ReadingBook } from './readings.ts'
import type { Reading } from './readings.ts'
import { checkStretch, readAll, seek, Tail } from './readers.ts'
import type { Stretch } from './readers.ts'
import { parseMetadata, Stranger } from './stranger.ts'
import type { ChaosEngines, Metadata, OwnCommit } from './stranger.ts'
import { byHand, throughServer } from './venue.ts'
import type { Venue } from './venue.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly steps: number
  /** What the log reads. */
  readonly features: ReadonlySet<Feature>
  readonly engines: ChaosEngines
  /** Through our server, while the log works on; else in a catalog of the strangers' own, while it commits nothing. */
  readonly isLive?: boolean
}

/** How often each operation came to what, and what was committed beside them. */
export interface Tally {
  readonly outcomes: ReadonlyMap<string, number>
  readonly hands: Hands
}

/** Runs the list of operations of a seed, and holds the log against the model after each. @throws naming seed and step. */
export async function chaos(options: ChaosOptions): Promise<Tally> {
  const { seed, steps, features } = options
  const random = seededRandom(seed ^ 0x5eed)
  const run = await ChaosRun.begin(options, random)
  const tally = new Map<string, number>()
  try {
    for (const [at, step] of stepsOf(seed, steps, features).entries()) {
      try {
        const outcome = await run.step(step)
        const name = `${step.operation.name}: ${outcome}`
        tally.set(name, (tally.get(name) ?? 0) + 1)
      } catch (error) {
        const what = `MOULIN_SEED=${seed}, step ${at + 1}: ${step.operation.name} (${step.args.join(', ')})`
        const { name, message } = error as Error
        // What an engine says is told apart from what the model says of the log.
        throw name === 'EngineError'
          ? engineError(`${what}: ${message}`, error)
          : new Error(`${what}: ${message}`, { cause: error })
      }
    }
    await run.end()
  } finally {
    await run.close()
  }
  return { outcomes: tally, hands: run.hands }
}

const TABLE_FOLDER = 'tables/shop/orders'
/** Never by itself: what the strangers work on must lie still. */
const NEVER_MS = 2_147_483_647

function configOf(random: SeededRandom): TopicConfig<Reading> {
  return {
    partitions: PARTITIONS,
    value: random.pick([codecs.avro, codecs.json]),
    valueMode: random.pick(['columns', 'columns', 'columns+raw'] as const),
    table: 'shop.orders',
    freshnessMs: NEVER_MS,
    timestampBeforeMaxMs: -1,
    timestampAfterMaxMs: -1,
    ...random.pick([{}, {}, { formatVersion: 3 }]),
    ...random.pick([{}, { partitionBy: [] }, { partitionBy: [byValue('city')] }]),
  } as TopicConfig<Reading>
}

class ChaosRun {
  readonly #dir: string
  readonly #config: TopicConfig<Reading>
  readonly #random: SeededRandom
  readonly #features: ReadonlySet<Feature>
  readonly #model: Model
  readonly #stranger: Stranger
  #log!: Log
  #topic!: Topic<Reading>
  #tail!: Tail
  /** The same table, without a log. */
  #table!: OpenTable
  /** Snapshot of our last commit, its sequence number, and all of ours. */
  #own: string | undefined
  #ownSequence = 0
  readonly #ownSnapshots = new Set<string>()

  readonly #venue: Venue
  readonly #engines: ChaosEngines
  readonly #isLive: boolean
  readonly hands = noHands()

  private constructor(dir: string, options: ChaosOptions, random: SeededRandom, venue: Venue) {
    const { features, engines, isLive = false } = options
    this.#dir = dir
    this.#venue = venue
    this.#engines = engines
    this.#isLive = isLive
    this.#random = random
    this.#features = features
    this.#config = configOf(random)
    this.#model = new Model(new ReadingBook(this.#config.value!), this.#config.valueMode === 'columns+raw')
    this.#stranger = new Stranger({
      engines,
      venue,
      model: this.#model,
      hands: this.hands,
      committed: (commit, metadata) => this.#committedBeside(commit, metadata),
    })
  }

  static async begin(options: ChaosOptions, random: SeededRandom): Promise<ChaosRun> {
    const dir = join(await mkdtemp(join(tmpdir(), 'moulin-chaos-')), 'lake')
    const { engines, isLive } = options
    const folder = join(dir, TABLE_FOLDER)
    const venue = isLive === true ? await throughServer(engines, dir, folder) : byHand(engines, folder)
    const run = new ChaosRun(dir, options, random, venue)
    await run.#open()
    const runtime = systemRuntime()
    const store = fileSystem({ root: dir, files: runtime.files })
    const catalog = objectStoreCatalog({ store, prefix: 'tables/', access: 'read-only', runtime })
    run.#table = await openTable({ catalog, table: 'shop.orders', stores: store, threads: 0 })
    return run
  }

  get #folder(): string {
    return join(this.#dir, TABLE_FOLDER)
  }

  async #open(): Promise<void> {
    this.#log = await openLog(this.#dir, { threads: 0 })
    this.#topic = await this.#log.ensureTopic('readings', this.#config)
    this.#tail = new Tail(this.#topic)
    await this.#venue.meet(this.#log)
  }

  async #shut(): Promise<void> {
    await this.#tail.caughtUp(this.#model.book.sent)
    await this.#tail.stop()
    this.hands.onRead += await this.#venue.leave()
    await this.#log.close()
  }

  async #metadata(): Promise<Metadata> {
    const folder = join(this.#folder, 'metadata')
    return parseMetadata(await readFile(join(folder, `v${await newestVersion(folder)}.metadata.json`), 'utf8'))
  }

  async step({ operation, args, ...step }: Step): Promise<Outcome> {
    this.#model.beginStep()
    await this.#produce(step)
    if (step.reopens) {
      await this.#shut()
      await this.#open()
    }
    await this.#arrive()
    // Two readers beside what the strangers do, where they do not hold back what is to be released; the third follows all the time.
    const readers = this.#readMeanwhile(operation.isHeld !== true)
    const beside = this.#beside(operation)
    this.#stranger.beside = beside
    const scene = this.#scene()
    let outcome: Outcome
    let faults: readonly unknown[] = []
    try {
      if (operation.wants === 'no commits') await this.#heldFrom(beside)
      outcome = (await operation.work(scene, args)) ?? 'done'
    } catch (error) {
      if (!isRefusal(operation, scene, (error as Error).message)) throw error
      outcome = 'refused'
      console.log(`${operation.name} is refused: ${(error as Error).message.trimEnd().slice(-300)}`)
    } finally {
      faults = (await beside?.stop()) ?? []
      await readers.stop()
    }
    if (this.#isLive) await this.#stranger.catchUp()
    this.#stranger.beside = undefined
    await this.#tail.caughtUp(this.#model.book.sent)
    // Before anybody is held against it: is the model right?
    await checkSpark(this.#stranger, this.#model)
    const isAdopted = await this.#settle(outcome)
    const mayBe = [...(operation.refusesReaders ?? []), ...(isAdopted ? ['LINEAGE_BROKEN'] : [])]
    throwOther(faults, mayBe)
    for (const stretch of readers.stretches(mayBe)) checkStretch(stretch, this.#model, this.#model.states)
    await checkLog(this.#topic, this.#model)
    if (isAdopted) {
      await this.#arrive()
      await checkSpark(this.#stranger, this.#model)
    }
    const { snapshots } = this.#stranger.metadata
    const known = snapshots.map((each) => each['snapshot-id']).filter((id) => this.#model.knows(id))
    await checkOpenTable(this.#table, this.#model, known.length === 0 ? undefined : this.#random.pick(known))
    return isAdopted ? 'broken' : outcome
  }

  #scene(): Scene {
    const run = this
    const ours: OurSide = {
      topic: this.#topic,
      table: this.#table,
      get snapshot() {
        return run.#own!
      },
      check: (away) => checkLog(this.#topic, this.#model, away),
      release: () => this.#log.releaseNow(),
      work: async (work) => {
        await this.#produce(work)
        await this.#arrive()
      },
      hasCommitted: async () =>
        (await this.#metadata())['current-snapshot-id'] !== this.#stranger.metadata['current-snapshot-id'],
      committed: async () => {
        const metadata = await this.#metadata()
        this.#committed(metadata['current-snapshot-id']!, () => this.#model.repaired())
        await this.#arrive()
      },
    }
    // What is under way beside it is younger.
    const beganMs = clock.now()
    const now = (): number => (this.#stranger.beside === undefined ? clock.now() : beganMs)
    return { stranger: this.#stranger, model: this.#model, ours, features: this.#features, now }
  }

  /** What the log and a bystander do meanwhile. DuckDB inserts while Spark and Iceberg's library work, whose commits can be told from its. */
  #beside({ name, wants }: Operation): Beside | undefined {
    if (!this.#isLive || wants === 'quiet') return undefined
    const { duckdb } = this.#engines
    const insert = (): Promise<unknown> =>
      duckdb.sql(`INSERT INTO ${this.#stranger.table} (id) VALUES (${BYSTANDER_ID})`)
    return new Beside({
      topic: this.#topic,
      book: this.#model.book,
      random: this.#random.fork(),
      hands: this.hands,
      bystander: /^(DuckDB|PyIceberg):/.test(name) ? undefined : insert,
    })
  }

  /** Only the producer goes on beside the operation; it takes the table as commits have left it. */
  async #heldFrom(beside: Beside | undefined): Promise<void> {
    await beside?.hold()
    if (beside !== undefined) await this.#stranger.catchUp()
  }

  async #committedBeside({ snapshotId, frontier }: OwnCommit, metadata: Metadata): Promise<void> {
    const { book } = this.#model
    // A commit may be there before the producer has heard of its records.
    while (frontier.some((end, partition) => book.ends[partition]! < end)) await systemRuntime().timers.sleep(5)
    this.#ownSequence = metadata['last-sequence-number']
    this.#committed(snapshotId, () => this.#model.tiered(frontier))
  }

  /** The strangers take the table as the log has left it. */
  async #arrive(): Promise<void> {
    const metadata = await this.#metadata()
    await this.#stranger.arrive(metadata)
    const own = metadata.snapshots.find((each) => each['snapshot-id'] === this.#own)
    if (own !== undefined) this.#ownSequence = own['sequence-number']
  }

  async #produce({ sends, tiers, releases }: LogWork): Promise<void> {
    const { book } = this.#model
    if (sends > 0) await book.send(this.#topic, sends, this.#random)
    if (sends > 9) await book.sendOdd(this.#topic, this.#random.below(PARTITIONS), this.#random)
    await this.#tail.caughtUp(book.sent)
    if (!tiers) return
    const before = this.#model.frontier
    const { rows, frontier, snapshotId } = await this.#topic.tier()
    expect(frontier).toEqual(book.ends)
    expect(rows).toBe(Number(sum(frontier) - sum(before)))
    if (rows > 0) this.#committed(String(snapshotId), () => this.#model.tiered(frontier))
    if (!releases) return
    await this.#log.releaseNow()
    const released = this.#topic.offsets().map((offsets) => offsets.released)
    expect(released).toEqual(frontier)
    this.#model.releasedUpTo(released)
  }

  #committed(snapshotId: string, happened: () => void): void {
    this.#own = snapshotId
    this.#ownSnapshots.add(snapshotId)
    happened()
    this.#model.at(snapshotId)
  }

  #readMeanwhile(reads: boolean): { stop(): Promise<void>; stretches(mayBe: readonly string[]): Stretch[] } {
    const found: Stretch[] = []
    const faults: unknown[] = []
    let isOver = !reads
    const random = this.#random.fork()
    const again = async (read: () => Promise<Stretch[]>): Promise<void> => {
      while (!isOver)
        await read().then(
          (stretches) => found.push(...stretches),
          (error: unknown) => faults.push(error),
        )
    }
    const running = Promise.all([again(() => readAll(this.#topic)), again(() => seek(this.#topic, random, 3))])
    return {
      async stop() {
        isOver = true
        await running
      },
      stretches(mayBe) {
        throwOther(faults, mayBe)
        return found
      },
    }
  }

  /** The log says of the table's history what it is worth; where that is nothing, the table is adopted. Returns whether it was. */
  async #settle(outcome: Outcome): Promise<boolean> {
    const own = { last: this.#own, lastSequence: this.#ownSequence, snapshots: this.#ownSnapshots }
    const verdict = await expectedVerdict(this.#stranger, this.#model, own)
    const fault = await faultOf(this.#topic.scan().count())
    if (verdict !== 'broken') {
      expect(fault, 'history').toBeUndefined()
      expect(this.#topic.stats().lineage?.verdict, 'history').toBe(verdict)
      return false
    }
    expect(outcome, 'what the statement has done').toBe('broken')
    expect(fault, 'history').toMatchObject({ code: 'LINEAGE_BROKEN' })
    const adoption = await this.#topic.adoptTable()
    let skipped = 0n
    this.#committed(String(adoption.snapshotId), () => (skipped = sum(this.#model.adopted())))
    expect(adoption).toMatchObject({ outcome: 'recounted', frontier: this.#model.frontier, skippedOffsets: skipped })
    return true
  }

  /** Everything goes to the table and is let go of; what is missing is what the audit says. */
  async end(): Promise<void> {
    await this.#produce({ sends: 5, tiers: true, releases: true })
    await checkLog(this.#topic, this.#model)
    const { gaps } = await this.#topic.audit({ deep: true })
    const named = gaps.reduce((total, { from, to }) => total + to - from, 0n)
    const there = new Set(this.#model.rows.flatMap(({ sent }) => sent ?? []))
    expect(named).toBe(BigInt(this.#model.book.sent.flat().filter((sent) => !there.has(sent)).length))
    await this.#shut()
  }

  async close(): Promise<void> {
    await this.#table.close()
    await this.#tail.stop()
    await this.#venue.stop()
    await this.#log.close()
    await rm(join(this.#dir, '..'), { recursive: true, force: true })
  }
}

const { clock } = systemRuntime()
const sum = (offsets: readonly bigint[]): bigint => offsets.reduce((total, offset) => total + offset, 0n)
/** What makes it fail, where that is a broken history. */
async function faultOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return void (await work)
  } catch (error) {
    if (!isOfBrokenHistory(error)) throw error
    return error
  }
}

/** @throws the first that has none of the codes. */
function throwOther(faults: readonly unknown[], mayBe: readonly string[]): void {
  const fault = faults.find((error) => !isMoulinError(error) || !mayBe.includes(error.code))
  if (fault !== undefined) throw fault as Error
}

const isOfBrokenHistory = (error: unknown): boolean => isMoulinError(error) && error.code === 'LINEAGE_BROKEN'
