/** Processes around one log: the one that writes and serves it (fresh-writer.ts), seen from outside, and engines that ask for what it has. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { GatewayStats } from '@moulin/gateway'
import { python } from '../interop/python.ts'
import { engine } from './engines.ts'
import type { Rows, SqlEngine } from './engines.ts'

/** What was durable, and when this process had heard of it: by partition, in order. */
interface Recorded {
  readonly atMs: number
  readonly below: number
}

/** The other process. What it tells is recorded here as it comes, with the clock of this one. */
export class FreshWriter {
  readonly #child: ChildProcess
  readonly #recorded = new Map<number, Recorded[]>()
  readonly #told: object[] = []
  readonly #waiting: (() => void)[] = []
  #isOver = false

  constructor(
    dir: string,
    options: { readonly maxStalenessMs: number; readonly rate: number; readonly seconds: number },
  ) {
    const program = fileURLToPath(new URL('fresh-writer.ts', import.meta.url))
    const { maxStalenessMs, rate, seconds } = options
    const numbers = [maxStalenessMs, rate, seconds].map(String)
    this.#child = spawn(process.execPath, ['--conditions=moulin-source', program, dir, ...numbers], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: this.#child.stdout! })
    lines.on('line', (line) => this.#hear(JSON.parse(line) as object))
    lines.on('close', () => {
      this.#isOver = true
      this.#wake()
    })
  }

  /** Of its server. */
  async url(): Promise<string> {
    return (await this.#next<{ readonly url: string }>()).url
  }

  /** Has it send all that it is to send; returns how long that took. */
  async send(): Promise<number> {
    this.#child.stdin!.write('send\n')
    return (await this.#next<{ readonly sentMs: number }>()).sentMs
  }

  /** Of its server. Not while it sends. */
  stats(): Promise<GatewayStats> {
    this.#child.stdin!.write('stats\n')
    return this.#next()
  }

  /** How many records of each partition were recorded as durable by then. */
  ackedBy(atMs: number): ReadonlyMap<number, number> {
    const acked = [...this.#recorded].map(([partition, all]) => {
      const last = all.findLast((one) => one.atMs <= atMs)
      return [partition, last?.below ?? 0] as const
    })
    return new Map(acked)
  }

  /** Since when a partition had more than so many durable records; undefined where it has not. */
  hadMoreSince(partition: number, count: number): number | undefined {
    return this.#recorded.get(partition)?.find(({ below }) => below > count)?.atMs
  }

  /** Stops server and log, in order; returns whether its audit was clean. */
  async stop(): Promise<boolean> {
    this.#child.stdin!.end()
    const { clean } = await this.#next<{ readonly clean: boolean }>()
    return clean
  }

  /** Whatever it is doing. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  #hear(what: object): void {
    if ('below' in what) {
      const { partition, below } = what as { readonly partition: number; readonly below: number }
      const all = this.#recorded.get(partition) ?? []
      all.push({ atMs: performance.now(), below })
      this.#recorded.set(partition, all)
      return
    }
    this.#told.push(what)
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #next<T>(): Promise<T> {
    while (this.#told.length === 0) {
      if (this.#isOver) throw new Error('The process that writes has ended.')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#told.shift() as T
  }
}

/** An engine that asks, again and again, what each partition has. */
export interface Poller {
  readonly name: string
  /** As pyiceberg_ends.py says. */
  ends(): Promise<Rows>
  stop(): Promise<void>
}

export function sqlPoller(name: string, { sql, stop }: SqlEngine): Poller {
  const ends = `SELECT _kafka_partition, count(*), min(_kafka_offset), max(_kafka_offset), CAST(sum(_kafka_offset) AS BIGINT),
    count(CASE WHEN n <> _kafka_offset THEN 1 END) FROM lake.shop.ticks GROUP BY 1`
  return { name, ends: () => sql(ends), stop }
}

export async function pyicebergPoller(url: string): Promise<Poller> {
  const script = fileURLToPath(new URL('pyiceberg_ends.py', import.meta.url))
  const { ask, stop } = engine(await python(), [script, url, 'shop.ticks'])
  return { name: 'PyIceberg', ends: () => ask({}), stop }
}

/** What an engine was told, and what it should have been. */
export interface Answer {
  readonly by: string
  /** How long the oldest record had been durable, when it was asked, that the answer lacks; 0 where it lacks none. */
  readonly staleMs: number
  readonly tookMs: number
  /** Each thing that is wrong with it. */
  readonly wrong: readonly string[]
}

/** Asks once. */
export async function poll({ name, ends }: Poller, writer: FreshWriter, maxStalenessMs: number): Promise<Answer> {
  const askedMs = performance.now()
  const rows = await ends()
  const tookMs = performance.now() - askedMs
  const found = new Map(rows.map(([partition, ...numbers]) => [Number(partition), numbers.map(Number)]))
  const wrong: string[] = []
  let staleMs = 0
  for (const [partition, [count, low, high, sum, other]] of found) {
    // The first so many, each of them once.
    const prefix = [0, count! - 1, (count! * (count! - 1)) / 2, 0]
    if ([low, high, sum, other].some((value, index) => value !== prefix[index])) {
      wrong.push(`${name}: partition ${partition} is no prefix: ${[count, low, high, sum, other].join(' ')}`)
    }
  }
  for (const [partition, acked] of writer.ackedBy(askedMs - maxStalenessMs)) {
    const count = found.get(partition)?.[0] ?? 0
    const since = writer.hadMoreSince(partition, count)
    if (since !== undefined) staleMs = Math.max(staleMs, askedMs - since)
    if (count < acked) wrong.push(`${name}: partition ${partition} has ${count}, ${acked} were acked in time`)
  }
  return { by: name, staleMs, tookMs, wrong }
}

/** Asks all at once, each as often as it can, until the work is done. */
export async function pollWhile(
  work: Promise<unknown>,
  pollers: readonly Poller[],
  writer: FreshWriter,
  maxStalenessMs: number,
): Promise<Answer[]> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  const answers: Answer[] = []
  const asking = pollers.map(async (poller) => {
    while (!isDone) answers.push(await poll(poller, writer, maxStalenessMs))
  })
  await Promise.all([done, ...asking])
  return answers
}
