import { unavailable } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from './assertions.ts'
import { committed, expectAllRead, places, placesOf, sentPlaces } from './cold-tier-checks.ts'
import type { ColdTierCheck } from './cold-tier-checks.ts'
import type { ColdTierLog } from './cold-tier-log.ts'

interface Missing {
  readonly topic: ColdTopic
  readonly frontier: readonly bigint[]
  /** How often the log was asked to begin the grace anew. */
  readonly grace: { times: number; fails: boolean }
  show(): Promise<void>
}

/** Two commits of partition 0, of which the second one's file is gone, and that is known. Undefined for a tier that puts nothing back. */
async function missing(log: ColdTierLog, released = 0n): Promise<Missing | undefined> {
  const grace = { times: 0, fails: false }
  const renewGrace = async (): Promise<void> => {
    grace.times++
    if (grace.fails) throw unavailable('FULL', 'The log cannot write it down.')
  }
  const { topic, frontier } = await committed(log.lending({ renewGrace }), 2, 3)
  if (topic.repair === undefined || topic.repairDueMs === undefined) return undefined
  expectEqual(topic.repairDueMs(), undefined, 'when a repair is due with nothing missing')
  log.hot.release([released, 0n])
  const show = await log.hide({ partition: 0, offset: 3n })
  await log.call(topic.releasable({ upTo: frontier }))
  // Who does not notice it fails another check.
  if (topic.missingFiles?.().length === 0) return undefined
  return { topic, frontier, grace, show }
}

const repaired = (log: ColdTierLog, { topic }: Missing): Promise<boolean> => log.call(topic.repair!())

/** All that the history answers for is in it, whatever the log holds. */
async function expectWhole(log: ColdTierLog, { topic, frontier }: Missing): Promise<void> {
  await log.call(topic.refresh())
  expectEqual(topic.frontier(), frontier, 'the frontier after the repair')
  log.hot.release(frontier)
  await expectAllRead(log, topic, frontier)
  expectEqual(await placesOf(log, topic.scan(places)), sentPlaces(log), 'the rows after the repair')
  const { clean, partitions } = await log.call(topic.audit())
  expectTrue(clean, 'the audit is clean')
  expectEqual(
    partitions.map(({ ledgerRows }) => ledgerRows),
    [5n, 0n],
    'the rows of the ledger',
  )
}

/** What puts files back that are missing. */
export const repairChecks: readonly ColdTierCheck[] = [
  {
    name: 'puts a missing file back out of what the log holds, and the ledger stays as it is',
    by: ['hide'],
    async run(log) {
      const found = await missing(log)
      if (found === undefined) return
      expectEqual(await repaired(log, found), true, 'whether files were put back')
      expectEqual(found.topic.missingFiles?.() ?? [], [], 'what is missing then')
      await expectWhole(log, found)
    },
  },
  {
    name: 'is due for a repair while a file is missing, later where it cannot be put back, and then no more',
    by: ['hide'],
    async run(log) {
      const found = await missing(log, 3n)
      if (found === undefined) return
      const { topic, frontier, show } = found
      const now = (): number => log.runtime.clock.now()
      const dueMs = topic.repairDueMs!()
      expectTrue(dueMs !== undefined && dueMs <= now(), `a repair is due now, not at ${dueMs}`)
      expectEqual(await repaired(log, found), false, 'whether what the log let go of was put back')
      const againMs = topic.repairDueMs!()
      expectTrue(againMs !== undefined && againMs > now(), `what cannot be put back is due later, not at ${againMs}`)
      await show()
      await log.call(topic.releasable({ upTo: frontier }))
      expectEqual(topic.repairDueMs!(), undefined, 'when a repair is due once the file is back')
    },
  },
  {
    name: 'has the grace begin anew before it puts anything back, and puts nothing back where that fails',
    by: ['hide'],
    async run(log) {
      const found = await missing(log)
      if (found === undefined) return
      const { topic, grace } = found
      const before = topic.snapshotId()
      grace.fails = true
      await expectError(repaired(log, found), 'unavailable', 'a repair that the log cannot write down', 'FULL')
      await log.call(topic.refresh())
      expectEqual(topic.snapshotId(), before, 'the snapshot after that')
      grace.fails = false
      const times = grace.times
      expectEqual(await repaired(log, found), true, 'whether files were put back then')
      expectTrue(grace.times > times, 'the log was asked before')
    },
  },
  {
    name: 'says at the next call what a repair did whose answer was lost',
    by: ['hide', 'loseCommit'],
    async run(log) {
      const found = await missing(log)
      if (found === undefined) return
      const { topic, grace } = found
      log.loseCommit('kept')
      const first = await errorOf(repaired(log, found))
      if (first !== undefined) {
        // It stands, though the log cannot write down now that its files are young.
        grace.fails = true
        expectEqual(await repaired(log, found), true, 'whether files were put back by the call before')
        grace.fails = false
      }
      expectEqual(await repaired(log, found), false, 'whether files were put back once more')
      expectEqual(topic.repairDueMs!(), undefined, 'when a repair is due then')
    },
  },
]
