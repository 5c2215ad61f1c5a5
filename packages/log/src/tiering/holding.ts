import type { Failure } from '@moulin/core'
import type { TieredTopic } from './tiered-topic.ts'
import type { Holding } from './wal-pressure.ts'

/** What keeps a topic's write-ahead data, in words: that of the present incarnation, and that of earlier ones. */
export function holdingOf(
  topic: TieredTopic,
  { isBusy, lastError }: { readonly isBusy: boolean; readonly lastError: Failure | null },
): readonly Holding[] {
  const { core, hot, record, refusal } = topic
  const bytes = hot.partitions.reduce((sum, partition) => sum + partition.bytesFrom(partition.released), 0)
  const earlier = topic.earlier().reduce((sum, range) => sum + range.bytes, 0)
  const why = refusal?.message ?? (lastError === null ? undefined : `${lastError.code}: ${lastError.message}`)
  const isHeld = hot.pins.size > 0 ? 'a reader or a scan holds it' : 'its turn comes'
  const now = isBusy ? 'it is being moved' : core.tier === undefined ? 'there is no cold tier' : isHeld
  return [
    { bytes, reason: `topic ${record.name} ${bytes} bytes (${why ?? now})` },
    {
      bytes: earlier,
      reason: `topic ${record.name} ${earlier} bytes of earlier incarnations (read what you need of them, then call topic.dropEarlier())`,
    },
  ].filter((holding) => holding.bytes > 0)
}
