/** One measured figure; `ratio` is our time ÷ the peer's (below 1: we are faster), null where there is no peer. */
export interface BenchLine {
  readonly bench: string
  /** `shape/codec[/variant]`. */
  readonly case: string
  readonly value: number
  readonly unit: string
  readonly peer: string | null
  readonly ratio: number | null
}

export type Bench = (print: (line: BenchLine) => void) => Promise<void>

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
    for (const [name, run] of Object.entries(contenders)) results[name]!.push(await run())
  }
  return results
}
