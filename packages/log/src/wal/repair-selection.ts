import type { SectionHeader } from '@moulin/core'
import type { Frame } from './frame.ts'
import type { SalvagedSegment } from './salvage.ts'

/** What the newest checkpoint says of a partition. */
export interface PartitionBounds {
  /** First offset that the write-ahead tier must hold. */
  readonly released: bigint
  /** Exclusive: all below was durable. */
  readonly next: bigint
}

/** By {@link partitionKey}; a partition that the checkpoint does not name begins at 0. Undefined: no checkpoint can be read. */
export type CheckpointBounds = ReadonlyMap<string, PartitionBounds> | undefined

/** Offsets of a partition that a repair gives up. */
export interface GivenUp {
  readonly topicId: string
  readonly partition: number
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
}

export function partitionKey({ topicId, partition }: Pick<SectionHeader, 'topicId' | 'partition'>): string {
  return `${topicId}/${partition}`
}

/**
 * Per partition: the sections without a hole from where it must begin; without a checkpoint, the last run without one. Where that ends below
 * what the table has, from there: so no offset of the table is given again.
 */
export function selectKept(
  segments: readonly SalvagedSegment[],
  bounds: CheckpointBounds,
  frontiers: ReadonlyMap<string, bigint>,
): Selection {
  const byPartition = new Map<string, Frame[]>()
  for (const { live } of segments) {
    for (const frame of live) {
      const key = partitionKey(frame.header)
      byPartition.set(key, [...(byPartition.get(key) ?? []), frame])
    }
  }
  const damaged = segments.flatMap(({ damages }) => damages).flatMap(({ header }) => header ?? [])
  const keys = new Set([
    ...(bounds?.keys() ?? []),
    ...frontiers.keys(),
    ...byPartition.keys(),
    ...damaged.map(partitionKey),
  ])
  const kept = new Set<Frame>()
  const givenUp: GivenUp[] = []
  const ends = new Map<string, PartitionBounds>()
  for (const key of keys) {
    const frames = byPartition.get(key) ?? []
    const bound = bounds?.get(key)
    let released = bounds === undefined ? lastRunStart(frames) : (bound?.released ?? 0n)
    let { run, next } = runFrom(frames, released)
    const frontier = frontiers.get(key) ?? 0n
    if (next < frontier) {
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
    const slash = key.lastIndexOf('/')
    givenUp.push({ topicId: key.slice(0, slash), partition: Number(key.slice(slash + 1)), from: next, to, stranded })
  }
  return { kept, givenUp, ends }
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

/** A file is used again only when all in it is released, so what lies before a hole is released too. */
function lastRunStart(frames: readonly Frame[]): bigint {
  let start = 0n
  let next: bigint | undefined
  for (const { header } of frames) {
    if (header.baseOffset !== next) start = header.baseOffset
    next = header.lastOffset + 1n
  }
  return start
}
