import type { GroupClaims, PlaceSpan } from './claimed-places.ts'
import { placeOf } from './place.ts'
import type { LedgerEntry } from '../table/ledger.ts'

/** What one row group claims, and whether it matters which of its rows count. */
export interface Claimant {
  readonly claims: GroupClaims
  readonly isTarget: boolean
  /** Claimants that share one were compared before, and have no place in common. */
  readonly apart: object | undefined
}

interface Edge {
  readonly at: bigint
  /** 1: a span begins; −1: it ends. */
  readonly step: 1 | -1
  readonly claimant: Claimant
  readonly apart: object
}

/**
 * Live places that several row groups may have, one of them a target, or that one has several times: rising and apart from
 * each other within an (incarnation, partition). Of spans that are exact they certainly do.
 */
export function suspectPlaces(claimants: readonly Claimant[], ledger: readonly LedgerEntry[]): PlaceSpan[] {
  const edges = new Map<LedgerEntry, Edge[]>()
  const entries = new Map(ledger.map((entry) => [placeOf(entry.incarnation, entry.partition), entry]))
  for (const claimant of claimants) {
    for (const { incarnation, partition, from, to } of claimant.claims.spans) {
      const entry = entries.get(placeOf(incarnation, partition))
      if (entry === undefined) continue
      const start = from > entry.start ? from : entry.start
      const end = to < entry.frontier ? to : entry.frontier
      if (start >= end) continue
      const all = edges.get(entry) ?? []
      edges.set(entry, all)
      // One that repeats is its own rival.
      for (const apart of claimant.claims.repeats ? [{}, {}] : [claimant.apart ?? {}]) {
        all.push({ at: start, step: 1, claimant, apart }, { at: end, step: -1, claimant, apart })
      }
    }
  }
  return [...edges].flatMap(([entry, all]) => crowded(entry, all))
}

function crowded({ incarnation, partition }: LedgerEntry, edges: Edge[]): PlaceSpan[] {
  edges.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const present = new Map<object, number>()
  let targets = 0
  const spans: { incarnation: number; partition: number; from: bigint; to: bigint }[] = []
  let from: bigint | undefined
  edges.forEach(({ at, step, claimant, apart }, index) => {
    const count = (present.get(apart) ?? 0) + step
    if (count === 0) present.delete(apart)
    else present.set(apart, count)
    if (claimant.isTarget) targets += step
    if (edges[index + 1]?.at === at) return
    const isCrowded = present.size > 1 && targets > 0
    if (isCrowded) from ??= at
    if (isCrowded || from === undefined) return
    spans.push({ incarnation, partition, from, to: at })
    from = undefined
  })
  return spans
}
