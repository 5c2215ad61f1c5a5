import { isKind, isMoulinError, type Clock, type WalWriter } from '@moulin/core'
import type { HotLog, HotTopic } from './hot-log.ts'
import type { HotPartition, HotSection } from './hot-partition.ts'

export interface SectionCopiesParts {
  readonly hot: HotLog
  readonly wal: WalWriter
  readonly clock: Clock
  /** What is in memory at a time. */
  readonly maxFlushBytes: number
}

/**
 * Appends what lives in these segments again, as it was appended, so that they are freed: offsets, schemas and ages stay. Returns
 * how many sections moved.
 * @throws what an append throws. Where the Wal refuses a section as `unsupported`, that one stays where it is and the others move first.
 */
export async function copyOn(parts: SectionCopiesParts, segments: readonly string[]): Promise<number> {
  const wanted = new Set(segments)
  const sections = [...parts.hot.topics()].flatMap((topic) =>
    topic.partitions.flatMap((partition) =>
      partition.sectionsIn(wanted).map((section) => ({ topic, partition, section })),
    ),
  )
  let moved = 0
  let refused: Error | undefined
  for (let at = 0; at < sections.length;) {
    const moving: Promise<boolean>[] = []
    for (let bytes = 0; at < sections.length && bytes < parts.maxFlushBytes; at++) {
      const { topic, partition, section } = sections[at]!
      moving.push(copy(parts, topic, partition, section))
      bytes += section.location.sizeBytes
    }
    for (const end of await Promise.allSettled(moving)) {
      if (end.status === 'fulfilled') moved += end.value ? 1 : 0
      else if (isKind(end.reason, 'unsupported')) refused ??= end.reason
      else throw end.reason as Error
    }
  }
  if (refused !== undefined) throw refused
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
    ...(section.aborted && { aborted: section.aborted }),
  }
  const append = wal.append({ ...header, valueSchemaId, keySchemaId, appendedMs, frees: true, batches })
  const { location } = await append.catch((error: unknown) => {
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
