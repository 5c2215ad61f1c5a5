/** What a table shows of its repairs. */
import type { ColdTopic } from '@moulin/core'
import { expect } from 'vitest'
import { tableOf } from '../foreign.test-support.ts'
import { checkFolder } from '../forgotten/forgotten.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { everything } from '../look/missing-files.test-support.ts'

export const operations = async (log: TestLog): Promise<(string | undefined)[]> =>
  ((await tableOf(log)).metadata.snapshots ?? []).map(({ summary }) => summary['operation'])

/** Nothing lies in the table's folder that no snapshot names, and no record of a commit is left. */
export async function checkNothingLeft(log: TestLog): Promise<void> {
  expect((await checkFolder(log)).unnamed).toEqual([])
  const staged: string[] = []
  for await (const { key } of log.store.list({ prefix: 'log/staged/' })) staged.push(key)
  expect(staged).toEqual([])
}

export const look = (topic: ColdTopic): Promise<readonly bigint[]> => topic.releasable({ upTo: everything(topic) })
