import { isMoulinError, type Clock, type WalSession } from '@moulin/core'
import type { HotLog, HotTopic } from './hot-log.ts'
import type { HotPartition, HotSection } from './hot-partition.ts'

export interface SectionCopiesParts {
  readonly hot: HotLog
  readonly wal: WalSession
  readonly clock: Clock
  /** What is in memory at a time. */
  readonly maxFlushBytes: number
}

/**
 * Appends what lives in these segments again, as it was appended, so that they are freed: offsets, schemas and ages stay. Returns
 * how many sections moved.
 */
export async function copyOn(parts: SectionCopiesParts, segments: readonly string[]): Promise<number> {
  const wanted = new Set(segments)
  const sections = [...parts.hot.topics()].flatMap((topic) =>
    topic.partitions.flatMap((partition) =>
      partition.sectionsIn(wanted).map((section) => ({ topic, partition, section })),
    ),
  )
  let moved = 0
  for (let at = 0; at < sections.length;) {
    const moving: Promise<boolean>[] = []
    for (let bytes = 0; at < sections.length && bytes < parts.maxFlushBytes; at++) {
      const { topic, partition, section } = sections[at]!
      moving.push(copy(parts, topic, partition, section))
      bytes += section.location.sizeBytes
    }
    for (const hasMoved of await Promise.all(moving)) if (hasMoved) moved += 1
  }
  return moved
}

/** False for a section that has been released meanwhile. */
async function copy(
  { hot, wal, clock }: SectionCopiesParts,
  topic: HotTopic,
  partition: HotPartition,
  section: HotSection,
): Promise<boolean> {
  const batches = await hot.batchesOf(partition, section)
  if (batches === undefined || !partition.holds(section)) return false
  const { partition: index, baseOffset, lastOffset, valueSchemaId, keySchemaId } = section
  const recordCount = Number(lastOffset - baseOffset) + 1
  const appendedMs = Math.trunc(clock.now() - (clock.monotonic() - section.durableMs))
  const header = {
    topicId: topic.id,
    incarnation: topic.incarnation,
    partition: index,
    baseOffset,
    lastOffset,
    recordCount,
  }
  const append = wal.append({ ...header, valueSchemaId, keySchemaId, appendedMs, frees: true, batches })
  const location = await append.catch((error: unknown) => {
    // That the log was closed meanwhile is no failure.
    if (isMoulinError(error) && error.outcome === 'unknown') hot.failed(error)
    throw error
  })
  // It may have been released meanwhile, from where it was.
  const hasMoved = partition.holds(section)
  if (hasMoved) partition.move(section, location)
  await wal.release([hasMoved ? section.location : location])
  return hasMoved
}
