import { conflict, type Codec, type ColdAdoption, type ColdContext, type ColdTopicInfo } from '@moulin/core'
import type { HotTopic } from '../hot/hot-log.ts'
import type { LogCore } from '../log-core.ts'
import { storedRecordsOf } from '../read/record-view.ts'
import type { TopicRecord } from '../stored/topic-store.ts'

/** A topic in one of its incarnations. */
interface TopicLife {
  readonly core: LogCore
  readonly record: TopicRecord
  readonly hot: HotTopic
  readonly valueCodec: Codec | undefined
}

/** What a cold tier is told of the topic, and lent. */
export function lentTo({ core, record, hot, valueCodec }: TopicLife): { info: ColdTopicInfo; context: ColdContext } {
  const { runtime, limits, store, access, ledger, wal } = core
  const { name, id, incarnation, start, config, valueSchemaId } = record
  const { partitions, table, partitionBy, valueMode, rowCrc, formatVersion } = config
  return {
    info: {
      logId: core.logId,
      name,
      id,
      incarnation,
      partitions,
      table,
      partitionBy,
      valueMode,
      rowCrc,
      formatVersion,
      valueCodec,
      valueSchemaId,
      startOffsets: Array.from({ length: partitions }, (_, partition) => start[partition] ?? 0n),
    },
    context: {
      runtime,
      limits,
      store,
      schemas: ledger,
      hot: core.hot.source(hot),
      recordsOf: (run) => storedRecordsOf(run),
      access,
      epoch: wal.epoch,
      checkFence: () => wal.checkFence(),
    },
  }
}

/**
 * Begins the incarnation that a table has given the topic. The table says already that it is there: until the topic's next
 * version is stored, another start finds the log older than its table. Durable on return, in a checkpoint too: without one, recovery
 * would not know where the first section of the incarnation may begin.
 */
export async function beginIncarnation(
  core: LogCore,
  record: TopicRecord,
  { incarnation, frontier }: ColdAdoption,
): Promise<{ readonly record: TopicRecord; readonly hot: HotTopic }> {
  const { name, id, config } = record
  const stored = await core.topics.newest(name)
  if (stored?.state !== 'live' || stored.record.id !== id) {
    const message = `Topic ${name} is not the one any more that this log has opened.`
    throw conflict('TOPIC_CHANGED', message, { context: { topic: name } })
  }
  const next = { ...record, incarnation, start: frontier }
  await core.topics.create(next, stored.version + 1)
  await core.wal.checkFence()
  const hot = core.hot.topic(id, incarnation, config.partitions, frontier)
  core.checkpoints.add(next, hot)
  await core.checkpoints.write()
  return { record: next, hot }
}
