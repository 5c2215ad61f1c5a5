import { tableOf } from '../foreign.test-support.ts'
import { TOPIC_ID, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

export const COMMIT = 'aaaaaaaa-0000-4000-8000-00000000000a'
export const keyOf = (commit: string, topic = TOPIC_ID): string => `log/staged/${topic}/${commit}.json`

/** Puts the record of a commit whose outcome nobody knows. */
export async function stage(
  log: TestLog,
  change: Readonly<Record<string, unknown>> = {},
  key = keyOf(COMMIT),
): Promise<void> {
  const { metadata } = await tableOf(log)
  const { objectPrefixes = [`tables/shop/orders/data/${COMMIT}-`], ...others } = change
  // Keys of the log's store, given as what they are called.
  const located = (name: unknown): unknown =>
    typeof name === 'string' && !name.includes('://') ? log.store.root + name : name
  const record = {
    format: 1,
    minimumReader: 1,
    commit: COMMIT,
    topic: TOPIC_ID,
    table: 'shop.orders',
    tableUuid: metadata['table-uuid'],
    epoch: '1',
    parent: '5',
    objectPrefixes: Array.isArray(objectPrefixes) ? objectPrefixes.map(located) : objectPrefixes,
    ledger: null,
    ranges: [[0, '1', '2']],
    ...others,
  }
  await log.store.put(key, utf8(JSON.stringify(record)))
}
