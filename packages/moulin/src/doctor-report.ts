import type { StoreCost, StoreUsage } from '@moulin/storage'
import type { StorageOptions } from './store-adapters.ts'

/** What `moulin doctor` found. */
export interface DoctorReport {
  readonly place: string
  readonly holds: 'nothing' | 'a log' | 'something else'
  readonly fitness: Fitness
  readonly findings: readonly Finding[]
  /** By operation, as a log sees them: with the tries that `retry` adds. */
  readonly latencies: readonly Latency[]
  readonly modes: readonly Mode[]
  readonly estimate: Estimate | null
  /** What the place is to be opened with, beside what was given. */
  readonly storage: StorageOptions
  /** What the doctor's own checks have asked of the store. */
  readonly requests: StoreUsage['requests']
}

export type Fitness = 'fit' | 'fit with warnings' | 'not fit'

export interface Finding {
  readonly check: string
  /** `untold`: nobody may look, or the adapter cannot. It is no warning. */
  readonly verdict: 'good' | 'warning' | 'fault' | 'untold'
  /** Of the error, where there is one. */
  readonly code: string | null
  readonly says: string
}

export interface Latency {
  readonly operation: string
  readonly calls: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A way to keep a log. */
export interface Mode {
  readonly mode: string
  readonly carries: boolean
  readonly says: string
}

/** Requests and money of a month, for one topic of one partition that is written evenly and not read. */
export interface Estimate {
  readonly recordsPerSecond: number
  readonly recordBytes: number
  readonly commits: number
  readonly usage: StoreUsage
  /** Null: nobody knows the prices of this place. */
  readonly cost: StoreCost | null
  /** Of what the month has written, each month that it is kept. */
  readonly keptPerMonth: number | null
}

export function fitnessOf(findings: readonly Finding[]): Fitness {
  if (findings.some(({ verdict }) => verdict === 'fault')) return 'not fit'
  return findings.some(({ verdict }) => verdict === 'warning') ? 'fit with warnings' : 'fit'
}

export const good = (check: string, says: string): Finding => ({ check, verdict: 'good', code: null, says })
export const warning = (check: string, code: string | null, says: string): Finding => ({
  check,
  verdict: 'warning',
  code,
  says,
})
export const fault = (check: string, code: string | null, says: string): Finding => ({
  check,
  verdict: 'fault',
  code,
  says,
})
export const untold = (check: string, says: string): Finding => ({ check, verdict: 'untold', code: null, says })
