import { systemRuntime } from 'moulin'
import type { Topic } from 'moulin'
import type { SeededRandom } from '@moulin/testing'
import { PARTITIONS } from './readings.ts'
import type { Reading, ReadingBook } from './readings.ts'

/** Of a row that nobody but the bystander inserts. */
export const BYSTANDER_ID = 2_000_000

/** What the hands came to. */
export interface Hands {
  /** Commits to the table, by whom. */
  ours: number
  theirs: number
  bystander: number
  /** Statements that another commit came before and that were told again, and those for which commits were held at last. */
  conflicts: number
  held: number
  /** Of the bystander, for whatever reason. */
  refused: number
  /** Commits of ours that a load has asked for. */
  onRead: number
  /** Records that were sent while strangers worked. */
  sent: number
}

export const noHands = (): Hands => ({
  ours: 0,
  theirs: 0,
  bystander: 0,
  conflicts: 0,
  held: 0,
  refused: 0,
  onRead: 0,
  sent: 0,
})

export interface BesideParts {
  readonly topic: Topic<Reading>
  readonly book: ReadingBook
  readonly random: SeededRandom
  readonly hands: Hands
  /** Inserts a row; undefined: there is none. */
  readonly bystander?: (() => Promise<unknown>) | undefined
}

/** Of wall time, between two commits and two batches. */
const COMMIT_MS = 300
const SEND_MS = 100

/** Works while strangers do: the producer sends, the log tiers, a bystander inserts, each when it likes. */
export class Beside {
  readonly #parts: BesideParts
  readonly #faults: unknown[] = []
  readonly #running: Promise<unknown>
  #isOver = false
  #isHeld = false
  /** Ends what commits do now. */
  #underWay: Promise<unknown> = Promise.resolve()

  constructor(parts: BesideParts) {
    const { topic, book, hands, random, bystander } = parts
    this.#parts = parts
    const chance = random.fork()
    const odd = random.fork()
    this.#running = Promise.all([
      this.#again(SEND_MS, 4 * SEND_MS, async () => {
        const before = book.ends.reduce((total, end) => total + end, 0n)
        await book.send(topic, 1 + chance.below(3), chance)
        if (odd.below(12) === 0) await book.sendOdd(topic, odd.below(PARTITIONS), odd)
        hands.sent += Number(book.ends.reduce((total, end) => total + end, 0n) - before)
      }),
      this.#again(COMMIT_MS, 4 * COMMIT_MS, () => this.#commit(() => topic.tier())),
      bystander &&
        this.#again(2 * COMMIT_MS, 8 * COMMIT_MS, () =>
          this.#commit(() => bystander().catch(() => void hands.refused++)),
        ),
    ])
  }

  async #again(leastMs: number, mostMs: number, work: () => Promise<unknown>): Promise<void> {
    const random = this.#parts.random.fork()
    while (!this.#isOver) {
      await work().catch((error: unknown) => this.#faults.push(error))
      await systemRuntime().timers.sleep(leastMs + random.below(mostMs - leastMs))
    }
  }

  async #commit(work: () => Promise<unknown>): Promise<void> {
    if (this.#isHeld) return
    const done = work()
    this.#underWay = Promise.allSettled([this.#underWay, done])
    await done
  }

  get hasBystander(): boolean {
    return this.#parts.bystander !== undefined
  }

  /** Nobody but strangers commits from now on; the producer goes on. */
  async hold(): Promise<void> {
    this.#isHeld = true
    await this.#underWay
  }

  resume(): void {
    this.#isHeld = false
  }

  /** All rest. Returns what went wrong. */
  async stop(): Promise<readonly unknown[]> {
    this.#isOver = true
    await this.#running
    return this.#faults
  }
}
