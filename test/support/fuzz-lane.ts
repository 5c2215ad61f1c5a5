/**
 * Goes through damaged inputs, one after the other, in a process of its own: what it may not do is hang, crash or take memory, and
 * a parent that watches can tell. Where it is, it writes into `position-FROM`; what it found, to its standard output.
 *
 *     node --expose-gc --conditions=moulin-source SCRIPT FOLDER SEED FROM COUNT
 */
import { openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { FileCaps } from '@moulin/core'

const KiB = 1024
const MiB = 1024 * KiB
const maxMillis = 250
const maxBytes = 64 * MiB

/** Sized for inputs of some ten kilobytes. */
export const fuzzCaps: Partial<FileCaps> = {
  maxParquetFooterBytes: MiB,
  maxParquetColumns: 1000,
  maxParquetRowGroups: 1000,
  maxParquetRowGroupRows: 20_000,
  maxParquetPageBytes: 2 * MiB,
}

export interface DamagedInput {
  /** The sound file that it was made of. */
  readonly file: string
  readonly how: string
  readonly bytes: Uint8Array
  /** Only bytes under a checksum were changed: it must be understood as the sound file is, or be refused. */
  readonly mustNotLie: boolean
}

/** What a lane does with its inputs. */
export interface FuzzLane<Input extends DamagedInput, Result> {
  readonly inputOf: (index: number) => Input
  readonly understand: (input: Input, index: number) => Promise<Result>
  /** Kind and code of an error of ours that may come of damage; undefined for any other. */
  readonly refusal: (error: unknown) => string | undefined
  /** How the result is not that of the sound file. */
  readonly lie: (input: Input, result: Result) => string | undefined
}

export interface Flaw {
  readonly index: number
  readonly file: string
  readonly how: string
  readonly what: string
}

export interface LaneReport {
  readonly understood: number
  readonly errors: Readonly<Record<string, number>>
  /** Inputs that must not lie, and were refused. */
  readonly refused: number
  readonly slowestMillis: number
  readonly slowest: string
  readonly flaws: readonly Flaw[]
}

/** By the arguments of the process. @param open Reads the sound files. */
export async function runFuzzLane<Input extends DamagedInput, Result>(
  open: (folder: string, seed: number) => Promise<FuzzLane<Input, Result>>,
): Promise<void> {
  const [folder = '', ...numbers] = process.argv.slice(2)
  const [seed, from, count] = numbers.map(Number) as [number, number, number]
  const lane = await open(folder, seed)
  const position = openSync(join(folder, `position-${from}`), 'w')
  const errors: Record<string, number> = {}
  const flaws: Flaw[] = []
  let [understood, refused, slowestMillis, slowest] = [0, 0, 0, '']
  globalThis.gc?.()
  let peak = process.resourceUsage().maxRSS * KiB
  for (let index = from; index < from + count && flaws.length < 20; index++) {
    writeSync(position, String(index).padEnd(12), 0)
    const input = lane.inputOf(index)
    const { file, how, bytes, mustNotLie } = input
    const flaw = (what: string): void => {
      flaws.push({ index, file, how, what })
      writeFileSync(join(folder, `flaw-${seed}-${index}.bin`), bytes)
    }
    const before = process.memoryUsage()
    try {
      const { outcome, millis } = await timed(lane, input, index)
      if (millis > maxMillis) flaw(`took ${Math.round(millis)} ms`)
      if (millis > slowestMillis) [slowestMillis, slowest] = [millis, `input ${index}: ${file}, ${how}`]
      if ('refusal' in outcome) {
        errors[outcome.refusal] = (errors[outcome.refusal] ?? 0) + 1
        if (mustNotLie) refused++
      } else {
        understood++
        const lie = mustNotLie ? lane.lie(input, outcome.result) : undefined
        if (lie !== undefined) flaw(lie)
      }
    } catch (error) {
      flaw(`threw ${(error as Error).stack ?? String(error)}`)
    }
    const after = process.memoryUsage()
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
    const top = process.resourceUsage().maxRSS * KiB
    if (grown > maxBytes) flaw(`took ${Math.round(grown / MiB)} MiB of memory`)
    else if (top - peak > maxBytes) flaw(`raised the peak by ${Math.round((top - peak) / MiB)} MiB`)
    peak = Math.max(peak, top)
    if (index % 16 === 0) globalThis.gc?.()
  }
  const report: LaneReport = {
    understood,
    errors,
    refused,
    slowestMillis: Math.round(slowestMillis),
    slowest,
    flaws,
  }
  console.log(JSON.stringify(report))
}

type Outcome<Result> = { readonly result: Result } | { readonly refusal: string }

/** @throws what is no error of ours. */
async function timed<Input extends DamagedInput, Result>(
  lane: FuzzLane<Input, Result>,
  input: Input,
  index: number,
): Promise<{ readonly outcome: Outcome<Result>; readonly millis: number }> {
  const attempt = async (): Promise<{ outcome: Outcome<Result>; millis: number }> => {
    const began = performance.now()
    const cpu = process.cpuUsage()
    const outcome = await lane.understand(input, index).then(
      (result) => ({ result }),
      (error: unknown) => {
        const refusal = lane.refusal(error)
        if (refusal === undefined) throw error
        return { refusal }
      },
    )
    const { user, system } = process.cpuUsage(cpu)
    // Other processes may have had the core meanwhile, and other threads of this one theirs.
    return { outcome, millis: Math.min(performance.now() - began, (user + system) / 1000) }
  }
  const { outcome, millis: first } = await attempt()
  let millis = first
  // It may have been a collection.
  for (let again = 0; again < 2 && millis > maxMillis; again++) millis = Math.min(millis, (await attempt()).millis)
  return { outcome, millis }
}
