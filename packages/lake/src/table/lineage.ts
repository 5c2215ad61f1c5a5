import { conflict, sameInt64 } from '@moulin/core'
import type { ColdTopicInfo, MoulinError, Snapshot, TableMetadata } from '@moulin/core'
import { presentLedger, sha256 } from './marker.ts'
import type { Marker } from './marker.ts'
import type { FoundMarkers } from './marker-store.ts'
import { summaryKeys } from './system-columns.ts'

/**
 * Whether the table that is there now is the one that the marker speaks of. Properties survive a rollback and a
 * `CREATE OR REPLACE`, so the marker is checked against the chain of snapshots, its own hash and the log; where expiry
 * has cut the chain, the files decide (lineage-evidence).
 */
export type Verdict =
  | {
      readonly kind: 'plausible'
      readonly marker: Marker
      readonly foreign: readonly Snapshot[]
      /** What speaks for the table, one sentence. */
      readonly evidence: string
    }
  | {
      readonly kind: 'intact'
      readonly marker: Marker
      /** Snapshots that others put on top of ours, newest first. */
      readonly foreign: readonly Snapshot[]
    }
  | {
      readonly kind: 'broken'
      readonly fault: LineageFault
      readonly reason: string
      /** Per partition, how far the table holds all that it should, where that is still known; exclusive. */
      readonly reached?: readonly bigint[]
      /** Per partition, what the table holds of the log and the log has not: it is the older one. */
      readonly ahead?: readonly LostRange[]
      /** What to do, where that is known and touches neither table nor log. */
      readonly remedy?: string
    }

/** The chain of snapshots ends at an expired one before it comes to ours: the metadata alone does not decide. */
export interface CutChain {
  readonly kind: 'cut'
  readonly marker: Marker
  readonly foreign: readonly Snapshot[]
  readonly reason: string
}

/** The verdict on a table whose chain is cut, by what was found for it; undefined: nothing. */
export function verdictByEvidence({ marker, foreign, reason }: CutChain, evidence: string | undefined): Verdict {
  if (evidence !== undefined) return { kind: 'plausible', marker, foreign, evidence }
  return { kind: 'broken', fault: 'cut-chain', reason: `${reason}, and no file speaks for it` }
}

export type LineageFault =
  | 'no-marker'
  | 'unreadable-marker'
  | 'edited-marker'
  | 'other-log'
  | 'other-topic'
  | 'replaced-table'
  | 'left-main'
  | 'cut-chain'
  | 'marker-behind-table'
  | 'table-behind-log'
  | 'table-ahead-of-log'
  | 'log-behind-table'
  | 'foreign-rows'
  | 'lost-identity'

export interface LineageQuestion {
  readonly metadata: TableMetadata
  readonly info: ColdTopicInfo
  /** UUID of the table when this process saw it last. */
  readonly tableUuid: string | undefined
  /** Below these the write-ahead tier has nothing: what the table lacks there is lost. */
  readonly released: readonly bigint[]
  /** Exclusive ends of the log, asked of writers only: the table cannot know more than its log. */
  readonly committed: readonly bigint[] | undefined
  /**
   * Where the log ended when this writer opened it, exclusive: a marker that this process did not write cannot know more.
   * Undefined for a marker of ours, for one of a writer that took over meanwhile, and for readers.
   */
  recovered(marker: Marker): readonly bigint[] | undefined
  /** What the table's properties say, with the objects that they name. */
  readonly markers: FoundMarkers
}

/** Pure: looks at nothing but the metadata. Rows in foreign files are looked for apart (foreign-rows). */
export function verdictOf(question: LineageQuestion): Verdict | CutChain {
  const { metadata, info, tableUuid } = question
  const broken = (fault: LineageFault, reason: string): Verdict => ({ kind: 'broken', fault, reason })
  const { own, others } = question.markers
  if (own === undefined) {
    if (others.length > 0) return otherOwner(question)
    return broken('no-marker', 'the table has no marker of this topic')
  }
  if (tableUuid !== undefined && tableUuid !== metadata['table-uuid']) {
    return broken('replaced-table', `the table is another one: UUID ${metadata['table-uuid']}, not ${tableUuid}`)
  }
  if (own.marker === undefined) return broken('unreadable-marker', lowerFirst(own.fault))
  const { marker, text } = own
  if (marker.log !== info.logId) return broken('other-log', `the marker is of log ${marker.log}`)
  if (others.length > 0) return otherOwner(question)
  const chain = chainTo(metadata, marker)
  if (chain.kind === 'broken') return chain
  if (chain.kind === 'cut') return checkOffsets(question, marker) ?? { ...chain, marker, foreign: chain.above }
  const ours = chain.at
  if (ours !== undefined) {
    if (!sameInt64(ours['sequence-number'], marker.sequence) || ours.summary[summaryKeys.marker] !== sha256(text)) {
      const id = String(marker.snapshot)
      return broken('edited-marker', `the marker is not the one that was committed with snapshot ${id}`)
    }
  } else if (marker.snapshot === null && marker.ledger.some((entry) => entry.frontier !== entry.start)) {
    return broken('edited-marker', 'the marker claims rows but names no snapshot')
  }
  return checkOffsets(question, marker) ?? { kind: 'intact', marker, foreign: chain.above }
}

type Chain =
  /** `at` is undefined where ours was never made, or has expired: then its child still names it. */
  | { kind: 'found'; at: Snapshot | undefined; above: Snapshot[] }
  | { kind: 'cut'; above: Snapshot[]; reason: string }
  | (Verdict & { kind: 'broken' })

// Walks from main to the snapshot of the marker.
function chainTo(metadata: TableMetadata, marker: Marker): Chain {
  const byId = new Map((metadata.snapshots ?? []).map((snapshot) => [BigInt(snapshot['snapshot-id']), snapshot]))
  const above: Snapshot[] = []
  let id = metadata['current-snapshot-id']
  // A chain is no longer than the list of snapshots: a longer walk is a loop in broken metadata.
  for (let steps = 0; steps <= byId.size; steps++) {
    if (id === null || id === undefined || BigInt(id) === -1n) {
      if (marker.snapshot === null) return { kind: 'found', at: undefined, above }
      return leftMain(marker)
    }
    const snapshot = byId.get(BigInt(id))
    if (snapshot === undefined) {
      if (BigInt(id) === marker.snapshot) return { kind: 'found', at: undefined, above }
      const reason = `snapshot ${id} was expired before the one of the marker (${marker.snapshot}) was reached`
      // A marker without a snapshot claims no row, and so nothing that could be lost.
      return marker.snapshot === null ? { kind: 'found', at: undefined, above } : { kind: 'cut', above, reason }
    }
    if (BigInt(id) === marker.snapshot) return { kind: 'found', at: snapshot, above }
    if (snapshot.summary[summaryKeys.topic] === marker.topic) {
      const isNewer = marker.sequence === null || BigInt(snapshot['sequence-number']) > marker.sequence
      if (!isNewer) return leftMain(marker)
      const reason = `snapshot ${id} is ours and newer than the marker, which names ${marker.snapshot}`
      return { kind: 'broken', fault: 'marker-behind-table', reason }
    }
    above.push(snapshot)
    id = snapshot['parent-snapshot-id']
  }
  return { kind: 'broken', fault: 'left-main', reason: 'the snapshots of the table name each other in a circle' }
}

function leftMain({ snapshot }: Marker): Verdict & { kind: 'broken' } {
  const reason = `snapshot ${snapshot} of the marker is not on main: it was rolled back or replaced`
  return { kind: 'broken', fault: 'left-main', reason }
}

function checkOffsets(question: LineageQuestion, marker: Marker): Verdict | undefined {
  const { info, released, committed } = question
  if (marker.incarnation > info.incarnation) {
    const reason = `the marker is of incarnation ${marker.incarnation}, the topic is at ${info.incarnation}`
    const ahead = presentLedger(marker, { ...info, incarnation: marker.incarnation }).map(
      ({ partition, start: from, frontier: to }) => ({ partition, from, to }),
    )
    if (committed !== undefined) return { kind: 'broken', fault: 'log-behind-table', reason, ahead }
    const remedy =
      'This log is open for reading and does not know that incarnation: open it again. ' +
      'If it says the same then, open it for writing and see topic.adoptTable().'
    return { kind: 'broken', fault: 'table-ahead-of-log', reason, remedy }
  }
  const entries = presentLedger(marker, info)
  const recovered = question.recovered(marker)
  const ahead = entries.flatMap(({ partition, frontier: to }) => {
    const from = recovered?.[partition] ?? to
    return from < to ? [{ partition, from, to }] : []
  })
  if (ahead.length > 0) {
    const { partition, from, to } = ahead[0]!
    const reason = `partition ${partition} ends at ${to} in the table, but ended at ${from} in the log when it was opened`
    return { kind: 'broken', fault: 'log-behind-table', reason, ahead }
  }
  const reached = entries.map(({ frontier }) => frontier)
  for (const { partition, frontier } of entries) {
    if (frontier < released[partition]!) {
      const reason = `partition ${partition} ends at ${frontier} in the table, but the log has let go up to ${released[partition]}`
      return { kind: 'broken', fault: 'table-behind-log', reason, reached }
    }
    if (committed !== undefined && frontier > committed[partition]!) {
      const reason = `partition ${partition} ends at ${frontier} in the table, but at ${committed[partition]} in the log`
      return { kind: 'broken', fault: 'table-ahead-of-log', reason }
    }
  }
  return undefined
}

// Another log's marker, or another topic's of the same log.
function otherOwner({ info, markers }: LineageQuestion): Verdict {
  const { topic, log } = markers.others[0]!
  return log === info.logId
    ? { kind: 'broken', fault: 'other-topic', reason: `the table belongs to topic ${topic} of this log` }
    : { kind: 'broken', fault: 'other-log', reason: `the table has a marker of log ${log ?? 'unknown'}` }
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '')
}

/** Offsets that neither the table nor the write-ahead tier can be trusted to hold; half-open. */
export interface LostRange {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/** What a broken lineage puts in doubt: everything that the write-ahead tier has let go of and the table does not reach. */
export function lostRanges(
  starts: readonly bigint[],
  released: readonly bigint[],
  reached: readonly bigint[] = starts,
): LostRange[] {
  return released.flatMap((to, partition) => {
    const from = reached[partition]! > starts[partition]! ? reached[partition]! : starts[partition]!
    return from < to ? [{ partition, from, to }] : []
  })
}

/** The error that stops tiering and cold reads. */
export function lineageBroken(
  table: string,
  { fault, reason, remedy }: { readonly fault: LineageFault; readonly reason: string; readonly remedy?: string },
  lost: readonly LostRange[],
): MoulinError {
  const ranges = remedy === undefined ? textsOf(lost) : []
  const loss =
    ranges.length === 0
      ? 'Nothing is lost: the write-ahead tier still holds all of it.'
      : `In doubt: ${ranges.join(', ')}.`
  const sentences = remedy ?? `${loss} Put the table right, or see topic.adoptTable() and onBroken.`
  return conflict('LINEAGE_BROKEN', `The history of table ${table} is broken: ${reason}. ${sentences}`, {
    context: { table, fault, lost: ranges.join(', ') },
  })
}

/** The error that stops sends: what they would be acked for is in the table already, or was once. */
export function logBehindTable(topic: string, table: string, ahead: readonly LostRange[]): MoulinError {
  const ranges = textsOf(ahead).join(', ')
  const message =
    `The log is older than table ${table}: of topic ${topic} the table holds ${ranges}, which the log does not have. ` +
    'It is a restored copy, or write-ahead data was lost. Nothing more is accepted, so that no offset is given out twice. ' +
    'Open the right copy of the log, or read what this one still holds and go on above the table with topic.adoptTable().'
  return conflict('LOG_BEHIND_TABLE', message, { context: { topic, table, ranges } })
}

function textsOf(ranges: readonly LostRange[]): string[] {
  return ranges.map(({ partition, from, to }) => `partition ${partition} [${from}, ${to})`)
}
