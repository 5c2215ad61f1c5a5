import {
  isMoulinError,
  unsupported,
  type ColdTier,
  type ErrorKind,
  type HotSource,
  type Limits,
  type ObjectStore,
  type Runtime,
} from '@moulin/core'
import { codecFormats } from '@moulin/format'
import { schemaLedger } from '../stored/schema-ledger.ts'
import type { TopicRecord } from '../stored/topic-store.ts'
import { partitionKey } from '../wal/file/life-partition.ts'

const saysNothing: ReadonlySet<ErrorKind> = new Set(['not-found', 'exists', 'conflict', 'corrupt', 'unsupported'])

export interface TableFrontierOptions {
  readonly store: ObjectStore
  readonly logId: string
  readonly limits: Limits
  readonly runtime: Runtime
}

/**
 * How far each topic's table answers, by `partitionKey`, without a log: by a look for reading only. A table that is missing, broken or not
 * to be read answers for nothing. @throws `unavailable`: what the table has is not known then.
 */
export async function tableFrontiers(
  tier: ColdTier,
  topics: readonly TopicRecord[],
  { store, logId, limits, runtime }: TableFrontierOptions,
): Promise<Map<string, bigint>> {
  const schemas = schemaLedger({
    store,
    codecs: codecFormats,
    fieldIds: () => null,
    epoch: () => 0n,
    checkFence: async () => {},
  })
  const frontiers = new Map<string, bigint>()
  for (const { id, name, incarnation, valueSchemaId, config } of topics) {
    const startOffsets = Array.from({ length: config.partitions }, () => 0n)
    try {
      const valueCodec = valueSchemaId === 0 ? undefined : await schemas.codec(valueSchemaId)
      const { partitions, table, partitionBy, valueMode, rowCrc, formatVersion } = config
      const asked = { partitions, table, partitionBy, valueMode, rowCrc, formatVersion }
      const layout = { ...asked, valueCodec, valueSchemaId, startOffsets }
      const hot = emptyHot(startOffsets)
      const context = {
        runtime,
        limits,
        store,
        schemas,
        hot,
        recordsOf: () => [],
        access: 'read-only',
        epoch: 0n,
        checkFence: async () => {},
      } as const
      const cold = await tier.attach({ logId, name, id, incarnation, ...layout }, context)
      cold
        .frontier()
        .forEach((end, partition) => frontiers.set(partitionKey({ topicId: id, incarnation, partition }), end))
      await cold.close()
    } catch (error) {
      if (!isMoulinError(error) || !saysNothing.has(error.kind)) throw error
      runtime.logger.warn({ err: error, topic: name }, 'Its table says nothing of what it holds')
    }
  }
  return frontiers
}

function emptyHot(offsets: readonly bigint[]): HotSource {
  return {
    committedOffsets: () => offsets,
    releasedOffsets: () => offsets,
    recoveredOffsets: () => offsets,
    pin: () => ({ release: () => undefined }),
    read: () => {
      throw unsupported('NO_HOT_TIER', 'A repair lends no records.')
    },
  }
}
