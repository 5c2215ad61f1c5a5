import { murmur2 } from '@moulin/format'

/**
 * The partition of a keyed record, as Kafka's Java client chooses it.
 *
 * Spec: Kafka, `BuiltInPartitioner.partitionForKey`.
 */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return partitions === 1 ? 0 : (murmur2(key) & 0x7fffffff) % partitions
}
