import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** One measured figure; `ratio` is our time ÷ the peer's (below 1: we are faster), null where there is no peer. */
export interface BenchLine {
  readonly bench: string
  /** `shape/codec[/variant]`. */
  readonly case: string
  readonly value: number
  readonly unit: string
  readonly peer: string | null
  readonly ratio: number | null
  /** Lowest and highest of the ratios round by round, of the values where there is no peer; null for what is no time. */
  readonly spread: Spread | null
  /** What the figure must not be above. */
  readonly reach?: Reach
}

export type Spread = readonly [lowest: number, highest: number]

/** Upper limits: of the ratio, or of the value itself. */
export type Reach = { readonly ratio: number } | { readonly value: number }

export interface BenchOptions {
  /** In each, every contender runs once for the count, after a run that is not counted. */
  readonly rounds: number
  /** Rows of a shape, where they can be chosen. */
  readonly rows: number | undefined
  /** Only cases whose name contains this, and only peers whose name begins with `peer`. */
  readonly only: string
  readonly peer: string
  /** `cpu` counts the time that all threads of a process ran: for a machine that does other things as well. */
  readonly clock: 'wall' | 'cpu'
  /** Also the cases that start Apache Kafka. */
  readonly kafka: boolean
}

export type Bench = (print: (line: BenchLine) => void, options: BenchOptions) => Promise<void>

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value below which the share `q` lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!
}

/**
 * One turn of every contender per round, so that a change of the machine's mood meets all of them. A turn is a forced collection of
 * garbage, a run that is not counted, and one that is: the collection drops the hidden classes of objects that nothing holds
 * just then and deoptimises what relied on them, which a peer in a process of its own is spared.
 */
export async function rounds<R>(
  count: number,
  contenders: Readonly<Record<string, () => Promise<R>>>,
): Promise<Record<string, R[]>> {
  const results: Record<string, R[]> = {}
  for (const name of Object.keys(contenders)) results[name] = []
  for (let round = 0; round < count; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      collectGarbage()
      await run()
      results[name]!.push(await run())
    }
  }
  return results
}

/** One contender beside another, by the same figure of both in every round; `ratio` is of the medians. */
export function beside(
  own: readonly number[],
  peer: readonly number[],
): { readonly value: number; readonly ratio: number; readonly spread: Spread } {
  const ratios = own.map((figure, round) => figure / peer[round]!)
  return { value: median(own), ratio: median(own) / median(peer), spread: spreadOf(ratios) }
}

/** A figure that has no peer. */
export function alone(figures: readonly number[]): {
  readonly value: number
  readonly peer: null
  readonly ratio: null
  readonly spread: Spread
} {
  return { value: median(figures), peer: null, ratio: null, spread: spreadOf(figures) }
}

export function spreadOf(figures: readonly number[]): Spread {
  return [Math.min(...figures), Math.max(...figures)]
}

/** Milliseconds that the work takes in this process, by the clock of the options. */
export async function timed({ clock }: BenchOptions, work: () => unknown): Promise<number> {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await work()
  const wall = performance.now() - begun
  const { user, system } = process.cpuUsage(cpu)
  return clock === 'wall' ? wall : (user + system) / 1000
}

/** Whether the figure keeps to its reach; undefined where it has none. */
export function reaches({ reach, ratio, value }: BenchLine): boolean | undefined {
  if (reach === undefined) return undefined
  return 'ratio' in reach ? ratio !== null && ratio <= reach.ratio : value <= reach.value
}

let collect: (() => void) | undefined

/** What one contender left behind shall not be paid for by the next. */
function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
