import type { SectionHeader } from '@moulin/core'

/** A partition in one of the incarnations of its topic: what is kept of an earlier one has offsets of its own. */
export type LifePartition = Pick<SectionHeader, 'topicId' | 'incarnation' | 'partition'>

export function partitionKey({ topicId, incarnation, partition }: LifePartition): string {
  return `${topicId}/${incarnation}/${partition}`
}

export function parsePartitionKey(key: string): LifePartition {
  const [topicId, incarnation, partition] = key.split('/')
  return { topicId: topicId!, incarnation: Number(incarnation), partition: Number(partition) }
}
