import { stringifyJson } from '@moulin/core'
import type { JudgeTableOptions, TableVerdict } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from './assertions.ts'
import { committed } from './cold-tier-checks.ts'
import type { ColdTierCheck } from './cold-tier-checks.ts'
import type { ColdTierLog } from './cold-tier-log.ts'

/** Of whoever reads only: what a verdict says then is what a writer would find. Undefined for a tier without verdicts. */
async function judged(log: ColdTierLog, options: JudgeTableOptions = {}): Promise<TableVerdict | undefined> {
  const { tier, info } = log
  return tier.judge && (await log.call(tier.judge(info, log.context({ access: 'read-only' }), options)))
}

/** Two commits, of which the second one is taken back after some of it was let go of. */
async function rolledBack(log: ColdTierLog): Promise<void> {
  const { topic } = await committed(log, 2, 3)
  log.hot.release([4n, 0n])
  await log.rollBack()
  await log.call(topic.close())
}

const range = (from: bigint, to: bigint): object => ({ incarnation: 1, partition: 0, from, to })

/** What a history is worth, for whoever asks. */
export const judgeChecks: readonly ColdTierCheck[] = [
  {
    name: 'judges a history that is fine as intact, without anything in doubt or to be adopted',
    async run(log) {
      const { topic, snapshotId, frontier } = await committed(log, 2, [1, 3])
      log.hot.release([2n, 1n])
      const verdict = await judged(log, { plan: true })
      if (verdict === undefined) return
      expectEqual([verdict.verdict, verdict.fault, verdict.adoption], ['intact', null, null], 'the verdict')
      expectEqual([verdict.inDoubt, verdict.ahead], [[], []], 'what is in doubt, and what the log lacks')
      expectEqual(verdict.snapshotId, snapshotId, 'the snapshot that was judged')
      expectTrue(verdict.evidence !== '', 'a verdict says what it rests on')
      await log.call(topic.refresh())
      expectEqual([topic.frontier(), topic.snapshotId()], [frontier, snapshotId], 'what is there after it')
    },
  },
  {
    name: 'judges a history broken that was rolled back, with what is in doubt, and leaves it so',
    by: ['rollBack'],
    async run(log) {
      await rolledBack(log)
      const verdict = await judged(log)
      if (verdict === undefined) return
      expectEqual([verdict.verdict, verdict.ahead, verdict.adoption], ['broken', [], null], 'the verdict')
      expectTrue(verdict.fault !== null, 'a broken history has a fault')
      // From where on it is in doubt, the tier says; what only the lost commit held is among it.
      const isTold = verdict.inDoubt.some(({ partition, from, to }) => partition === 0 && from <= 2n && to >= 4n)
      expectTrue(isTold, `[2, 4) of partition 0 is in doubt, not only ${stringifyJson(verdict.inDoubt)}`)
      expectTrue(verdict.remedy !== '', 'a verdict says what to do')
      await expectError(log.attach(), 'conflict', 'attach after a verdict', 'LINEAGE_BROKEN')
    },
  },
  {
    name: 'plans just what an adoption does then, and does none of it',
    by: ['rollBack'],
    async run(log) {
      await rolledBack(log)
      const verdict = await judged(log, { plan: true })
      if (verdict === undefined) return
      expectTrue(verdict.adoption !== null, 'what adopting a broken history would do is told')
      await expectError(log.attach(), 'conflict', 'attach after a plan', 'LINEAGE_BROKEN')
      await log.call(log.tier.adopt(log.info, log.context(), { how: 'by-hand' }))
      const topic = await log.attach()
      const { partitions } = await log.call(topic.audit())
      const { outcome, frontier, rows, skipped } = verdict.adoption!
      expectEqual([outcome, frontier], ['recounted', topic.frontier()], 'what was planned, and what is there then')
      const counted = partitions.reduce((sum, { ledgerRows }) => sum + ledgerRows, 0n)
      expectEqual([rows, skipped], [counted, [range(2n, 4n)]], 'the rows and the gap that were planned')
    },
  },
  {
    name: 'judges a log that is older than its history, also one that only reads, by what it lacks',
    by: ['reopen'],
    async run(log) {
      const { topic } = await committed(log, 2, 1)
      await log.call(topic.close())
      const older = await log.reopen([2n, 0n])
      const verdict = await judged(older)
      if (verdict === undefined) return
      expectEqual(verdict.verdict, 'broken', 'the verdict')
      expectEqual(verdict.ahead, [range(2n, 3n)], 'what the log lacks')
    },
  },
  {
    name: 'names in a verdict what is lost with a missing file, and calls whole what the log still has',
    by: ['hide'],
    async run(log) {
      await committed(log, 2, 3)
      const show = await log.hide({ partition: 0, offset: 3n })
      const held = await judged(log)
      // A tier may not look for its files, as long as it says so.
      if (held === undefined || held.files === null) return
      expectEqual([held.verdict, held.inDoubt], ['intact', []], 'the verdict while the log has it all')
      expectEqual([held.files.missingCount, held.files.held], [1, [range(2n, 5n)]], 'what is missing, and still held')
      log.hot.release([4n, 0n])
      const lost = await judged(log)
      expectEqual([lost!.verdict, lost!.inDoubt], ['broken', [range(2n, 4n)]], 'the verdict once some was let go of')
      const unasked = await judged(log, { files: false })
      expectEqual(
        [unasked!.verdict, unasked!.files],
        ['intact', null],
        'the verdict where no file was to be looked for',
      )
      await show()
      const back = await judged(log)
      expectEqual([back!.verdict, back!.files?.missingCount], ['intact', 0], 'the verdict when the file is back')
    },
  },
]
