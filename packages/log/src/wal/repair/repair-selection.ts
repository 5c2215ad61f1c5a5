import type { Frame } from '../file/frame.ts'
import { parsePartitionKey, partitionKey, type LifePartition } from '../file/life-partition.ts'
import type { SalvagedSegment } from './salvage.ts'
import { orderSections } from '../file/section-order.ts'

/** What the newest checkpoint says of a partition. */
export interface PartitionBounds {
  /** First offset that the write-ahead tier must hold. */
  readonly released: bigint
  /** Exclusive: all below was durable. */
  readonly next: bigint
}

/** By {@link partitionKey}; a partition that the checkpoint does not name begins where its incarnation does. Undefined: no checkpoint can be read. */
export type CheckpointBounds = ReadonlyMap<string, PartitionBounds> | undefined

/** What is known beside the segments. All by {@link partitionKey}. */
export interface RepairEvidence {
  readonly bounds: CheckpointBounds
  /** A checkpoint newer than the one of `bounds` is damaged: it may have released more. */
  readonly isStale: boolean
  /** First offsets of the newest incarnations; 0 for one that is not there. */
  readonly starts: ReadonlyMap<string, bigint>
  /** Below it the table has all. */
  readonly frontiers: ReadonlyMap<string, bigint>
}

/** Offsets of a partition that a repair gives up. */
export interface GivenUp extends LifePartition {
  readonly from: bigint
  /** Exclusive, as far as can be told. */
  readonly to: bigint
  /** Sections of it that are whole, but lie behind what is lost: offsets have no holes. */
  readonly stranded: number
}

/** What of the salvaged sections can stay. */
export interface Selection {
  readonly kept: ReadonlySet<Frame>
  readonly givenUp: readonly GivenUp[]
  /** Where each partition begins and ends in the write-ahead tier afterwards. */
  readonly ends: ReadonlyMap<string, PartitionBounds>
  /** A partition begins behind where its checkpoint says: a newer one, which is damaged, had released that. */
  readonly isReleasedFurther: boolean
}

/**
 * Per partition: the sections without a hole from where it must begin; without a checkpoint, the last run without one. Where that ends below
 * what the table has, from there: so no offset of the table is given again.
 */
export function selectKept(segments: readonly SalvagedSegment[], evidence: RepairEvidence): Selection {
  const { bounds, starts, frontiers } = evidence
  const byPartition = new Map<string, Frame[]>()
  for (const frame of orderSections(segments.flatMap(({ live }) => live)).ordered) {
    const key = partitionKey(frame.header)
    const frames = byPartition.get(key)
    if (frames === undefined) byPartition.set(key, [frame])
    else frames.push(frame)
  }
  const damages = segments.flatMap((segment) => segment.damages)
  const damaged = damages.flatMap(({ header }) => header ?? [])
  // Where a segment is damaged, too, a hole may be a loss: then it is named as one.
  const isStale = evidence.isStale && damages.length === 0
  const keys = new Set([
    ...(bounds?.keys() ?? []),
    ...frontiers.keys(),
    ...byPartition.keys(),
    ...damaged.map(partitionKey),
  ])
  // Where nothing is lost, a table that has more is newer than the log: that is no damage, and not for a repair to settle.
  const isLoss =
    damages.length > 0 ||
    bounds === undefined ||
    isStale ||
    [...bounds].some(([key, bound]) => {
      const { next } = runFrom(byPartition.get(key) ?? [], bound.released)
      return next < bound.next
    })
  const kept = new Set<Frame>()
  const givenUp: GivenUp[] = []
  const ends = new Map<string, PartitionBounds>()
  let isReleasedFurther = false
  for (const key of keys) {
    const frames = byPartition.get(key) ?? []
    const bound = bounds?.get(key)
    const runStart = lastRunStart(frames) ?? (isStale ? bound?.next : undefined)
    let released = bound?.released ?? starts.get(key) ?? 0n
    if (bounds === undefined) released = runStart ?? released
    else if (isStale && runStart !== undefined && runStart > released) {
      released = runStart
      isReleasedFurther = true
    }
    let { run, next } = runFrom(frames, released)
    const frontier = frontiers.get(key) ?? 0n
    if (isLoss && next < frontier) {
      released = frontier
      ;({ run, next } = runFrom(frames, frontier))
    }
    for (const frame of run) kept.add(frame)
    ends.set(key, { released, next })
    const lost = damaged.filter((header) => partitionKey(header) === key)
    let to = bound?.next ?? 0n
    for (const { lastOffset } of [...frames.map(({ header }) => header), ...lost]) {
      if (lastOffset >= to) to = lastOffset + 1n
    }
    if (to <= next) continue
    const stranded = frames.filter(({ header }) => header.baseOffset >= next).length
    givenUp.push({ ...parsePartitionKey(key), from: next, to, stranded })
  }
  return { kept, givenUp, ends, isReleasedFurther }
}

function runFrom(frames: readonly Frame[], released: bigint): { run: Frame[]; next: bigint } {
  const run: Frame[] = []
  let next = released
  for (const frame of frames) {
    const { baseOffset, lastOffset } = frame.header
    // Known already, or below what is released.
    if (lastOffset < next) continue
    if (run.length === 0 ? baseOffset > next : baseOffset !== next) break
    run.push(frame)
    next = lastOffset + 1n
  }
  return { run, next }
}

/** A file is used again only when all in it is released, so what lies before a hole is released too. Undefined without frames. */
function lastRunStart(frames: readonly Frame[]): bigint | undefined {
  let start: bigint | undefined
  let next: bigint | undefined
  for (const { header } of frames) {
    if (header.baseOffset !== next) start = header.baseOffset
    next = header.lastOffset + 1n
  }
  return start
}
