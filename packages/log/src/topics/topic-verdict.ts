import { unsupported, type AuditRange, type JudgeTableOptions, type TableVerdict } from '@moulin/core'
import { lentTo } from './topic-lives.ts'
import type { TopicState } from './topic-state.ts'

/** At a log and its table, where a writer goes on beside the reader. */
const MOST_LOOKS = 5

/** See {@link Topic.judgeTable}. */
export async function topicVerdict(
  state: TopicState,
  { plan = false, ...call }: JudgeTableOptions,
): Promise<TableVerdict> {
  const { core } = state
  const { tier } = core
  if (tier === undefined) throw state.noTier()
  if (tier.judge === undefined) {
    throw unsupported('NO_VERDICT', `The cold tier ${tier.name} has no verdict on its tables.`)
  }
  await state.loadCodecs()
  const isReader = core.access === 'read-only'
  if (isReader) await core.refresh()
  const { info, context } = lentTo(state)
  for (let looks = 1; ; looks++) {
    const verdict = await tier.judge(info, context, call)
    // Of a log that is being written a reader may have seen less than the table has: then it sees more of it now.
    if (isReader && verdict.ahead.length > 0 && looks < MOST_LOOKS) {
      await core.refresh()
      if (verdict.ahead.every((range) => has(state, range))) continue
    }
    return plan && verdict.verdict === 'broken' ? await tier.judge(info, context, { plan, ...call }) : verdict
  }
}

function has({ record, hot }: TopicState, { incarnation, partition, to }: AuditRange): boolean {
  return incarnation === record.incarnation && (hot.partitions[partition]?.highWatermark ?? 0n) >= to
}
