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
  /** What the figure must not be above. */
  readonly reach?: Reach
}

/** Upper limits: of the ratio, or of the value itself. */
export type Reach = { readonly ratio: number } | { readonly value: number }

export interface BenchOptions {
  /** Measured rounds; one more comes before them and is not counted. */
  readonly rounds: number
  /** Rows of a shape, where they can be chosen. */
  readonly rows: number | undefined
  /** Only cases whose name contains this, and only peers whose name begins with `peer`. */
  readonly only: string
  readonly peer: string
  /** `cpu` counts the time that all threads of a process ran: for a machine that does other things as well. */
  readonly clock: 'wall' | 'cpu'
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

/** Runs every contender once per round, in turn, so that a change of the machine's mood meets all of them. */
export async function rounds<R>(
  count: number,
  contenders: Readonly<Record<string, () => Promise<R>>>,
): Promise<Record<string, R[]>> {
  const results: Record<string, R[]> = {}
  for (const name of Object.keys(contenders)) results[name] = []
  for (let round = 0; round < count; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      collectGarbage()
      results[name]!.push(await run())
    }
  }
  return results
}

/** Milliseconds of each contender, medians of the rounds that follow one to warm up. */
export async function medians(
  { rounds: count }: BenchOptions,
  contenders: Readonly<Record<string, () => Promise<number>>>,
): Promise<Record<string, number>> {
  const times = await rounds(count + 1, contenders)
  return Object.fromEntries(Object.entries(times).map(([name, each]) => [name, median(each.slice(1))]))
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
