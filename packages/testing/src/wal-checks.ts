import type { Durability, Wal } from '@moulin/core'
import type { WalWay } from './wal-place.ts'
import type { WalTrial } from './wal-trial.ts'

/** One promise of core's `Wal`. Each run gets a place where no log has been. */
export interface WalCheck {
  /** The promise in words: what tests are called, and what a wrong Wal names. */
  readonly name: string
  /** Runs only where the place claims this. */
  readonly needs?: WalWay
  /** Runs only where offsets come from there. */
  readonly offsets?: Wal['offsets']
  run(trial: WalTrial): Promise<void>
}

/** What a Wal says of itself. */
export interface WalClaims {
  readonly durability: Durability
  readonly offsets: Wal['offsets']
  readonly ways: readonly WalWay[]
}

/** Why a check is not about a Wal with these claims, or undefined where it is. */
export function unclaimedOfWal({ needs, offsets }: WalCheck, claims: WalClaims): string | undefined {
  if (offsets !== undefined && offsets !== claims.offsets) return `its offsets are ${claims.offsets}`
  return needs !== undefined && !claims.ways.includes(needs) ? `no way to ${needs}` : undefined
}
