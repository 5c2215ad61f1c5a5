/**
 * A tiering commit of one record, on a table that has had 6 000 of them every 3 s, beside one that has had 500: snapshots
 * expire, manifests are merged and forgotten files deleted meanwhile, on a store in memory. Processor time of the whole
 * process, for 100 commits a round.
 */
import { objectStoreCatalog } from '@moulin/catalog'
import type { ColdTopic } from '@moulin/core'
import { memory } from '@moulin/storage'
import { virtualRuntime } from '@moulin/testing'
import { cleanUpDue } from '../../packages/lake/src/forgotten/forgotten.test-support.ts'
import { testLog, utf8 } from '../../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'
import { median, rounds } from '../bench.ts'
import type { Bench } from '../bench.ts'

const early = 500
const perRound = 100
const stepMs = 3_000

export const bench: Bench = async (print, options) => {
  const late = options.rows ?? 6_000
  if (!'commit/zstd'.includes(options.only)) return
  const few = await tableAfter(early)
  const many = await tableAfter(late)
  const ms = await rounds(options.rounds + 1, {
    few: () => cpuMs(() => commits(few, perRound)),
    many: () => cpuMs(() => commits(many, perRound)),
  })
  const [own, peer] = [ms['many']!, ms['few']!].map((measured) => median(measured.slice(1)) / perRound)
  print({
    bench: 'commits',
    case: `commit/zstd/${late}`,
    value: own!,
    unit: 'ms',
    peer: `after ${early}`,
    ratio: own! / peer!,
    reach: { ratio: 1.5 },
  })
}

interface Table {
  readonly log: TestLog
  readonly topic: ColdTopic
}

async function tableAfter(count: number): Promise<Table> {
  const runtime = virtualRuntime({ seed: 11 })
  const store = memory({ clock: runtime.clock })
  const log = testLog({ store, runtime, catalog: objectStoreCatalog({ store, runtime }), info: { partitions: 1 } })
  const table = { log, topic: await log.attach() }
  await commits(table, count)
  return table
}

async function commits({ log, topic }: Table, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    log.hot.send(0, [{ value: utf8('one record') }])
    await log.runtime.clock.advance(stepMs)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await cleanUpDue(log, topic)
  }
}

async function cpuMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
