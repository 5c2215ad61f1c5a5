import { and, eq, gte, isIn, isNull, lt, not, or, startsWith, stringifyJson } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from './assertions.ts'
import {
  collected,
  committed,
  places,
  placesIn,
  placesOf,
  sendSome,
  sentPlaces,
  tiered,
  utf8,
} from './cold-tier-checks.ts'
import { suiteCodec } from './cold-tier-codec.ts'
import type { ColdTierCheck } from './cold-tier-checks.ts'

/** History and hot tier as one, and the audit of it. */
export const scanChecks: readonly ColdTierCheck[] = [
  {
    name: 'scans what is in the history and what is hot as one, each record once',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      sendSome(log, 0, 1)
      sendSome(log, 1, 1)
      sendSome(log, 1, 1)
      await tiered(log, topic, [2n, 1n])
      sendSome(log, 1, 2)
      expectEqual(await placesOf(log, topic.scan(places)), sentPlaces(log), 'the rows with records hot and cold')
      expectEqual(await log.call(topic.scan({}).count()), 7, 'how many a count says there are')
    },
  },
  {
    name: 'gives the columns that are named, and by default those of the values',
    async run(plain) {
      const log = plain.topic({ codec: suiteCodec })
      const topic = await log.attach()
      log.hot.send(0, [{ key: utf8('k'), value: suiteCodec.encode({ id: 7, city: 'ams' }) }], 1)
      await tiered(log, topic)
      log.hot.send(1, [{ value: suiteCodec.encode({ id: 8, city: 'bud' }) }], 1)
      const byId = (rows: Record<string, unknown>[]): object[] =>
        rows.map((row) => ({ ...row })).sort((a, b) => Number(a['id']) - Number(b['id']))
      const rows = byId(await log.call(topic.scan({}).toArray()))
      expectEqual(
        rows,
        [
          { id: 7, city: 'ams' },
          { id: 8, city: 'bud' },
        ],
        'the rows',
      )
      const columns = ['id', '_kafka_offset']
      const named = byId(await log.call(topic.scan({ columns }).toArray()))
      expectEqual(
        named,
        [
          { id: 7, _kafka_offset: 0n },
          { id: 8, _kafka_offset: 0n },
        ],
        'the named columns',
      )
      const wrong = async (): Promise<unknown> => topic.scan({ columns: ['town'] }).toArray()
      await expectError(log.call(wrong()), 'invalid', 'a column that is not there')
    },
  },
  {
    name: 'is one cut, fixed at the first row, whatever comes meanwhile',
    async run(log) {
      const { topic } = await committed(log, 3)
      const before = sentPlaces(log)
      const rows: Record<string, unknown>[] = []
      const scan = topic.scan(places)[Symbol.asyncIterator]()
      for (let isFirst = true; ; isFirst = false) {
        const { done, value } = await log.call(scan.next())
        if (done === true) break
        rows.push(value)
        if (!isFirst) continue
        sendSome(log, 0, 2)
        sendSome(log, 1, 1)
        sendSome(log, 1, 1)
        await tiered(log, topic, [5n, 1n])
      }
      expectEqual(placesIn(rows), before, 'the rows of a scan that records came into')
    },
  },
  {
    name: 'holds what it scans in the log while it scans, and no longer',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 4)
      const whole = topic.scan(places)
      const left = whole[Symbol.asyncIterator]()
      await log.call(left.next())
      expectTrue(log.hot.pins > 0, 'a scan under way pins what it reads')
      await log.call(left.return!())
      await log.call(whole.toArray())
      await log.call(whole.count())
      const stopped = topic.scan({ ...places, signal: AbortSignal.abort() })
      await expectError(log.call(stopped.toArray()), 'aborted', 'a scan after its signal')
      expectEqual(log.hot.pins, 0, 'pins that are left')
    },
  },
  {
    name: 'says the same by rows, batches, array and count',
    async run(log) {
      const { topic } = await committed(log, 3)
      const scan = topic.scan(places)
      const all = sentPlaces(log)
      expectEqual(placesIn(await log.call(collected(scan))), all, 'row by row')
      expectEqual(placesIn((await log.call(collected(scan.batches()))).flat()), all, 'by batches')
      expectEqual(placesIn(await log.call(scan.toArray())), all, 'as an array')
      expectEqual(await log.call(scan.count()), all.length, 'counted')
    },
  },
  {
    name: 'gives the rows that a predicate lets through, hot and cold',
    async run(plain) {
      const log = plain.topic({ codec: suiteCodec })
      const topic = await log.attach()
      const send = (id: number): void => {
        log.hot.send(0, [{ value: suiteCodec.encode({ id, city: id % 2 === 0 ? 'ams' : 'bud' }) }], 1)
      }
      for (let id = 0; id < 4; id++) send(id)
      await tiered(log, topic)
      for (let id = 4; id < 7; id++) send(id)
      const scan = topic.scan({ columns: ['id'], where: eq('city', 'ams') })
      const ids = (await log.call(scan.toArray())).map(({ id }) => Number(id)).sort((a, b) => a - b)
      expectEqual(ids, [0, 2, 4, 6], 'the rows')
      expectEqual(await log.call(scan.count()), 4, 'how many there are')
      for (const [where, found] of [
        [and(eq('_kafka_partition', 0), gte('_kafka_offset', 3n)), [3, 4, 5, 6]],
        [or(lt('id', 1), not(startsWith('city', 'a'))), [0, 1, 3, 5]],
        [isIn('id', [2, 6, 9]), [2, 6]],
        [or(isNull('city'), gte('_kafka_timestamp', new Date(9_999_999_999_999))), []],
        // A 64-bit number beside a time is microseconds.
        [and(lt('id', 2), gte('_kafka_timestamp', 1_600_000_000_000_000n)), [0, 1]],
        [or(eq('id', 3), gte('_kafka_timestamp', 9_999_999_999_999_000n)), [3]],
      ] as const) {
        const rows = await log.call(topic.scan({ columns: ['id'], where }).toArray())
        expectEqual(
          rows.map(({ id }) => Number(id)).sort((a, b) => a - b),
          found,
          `the rows with ${stringifyJson(where)}`,
        )
      }
    },
  },
  {
    name: 'gives the rows as Arrow',
    needs: 'arrow',
    async run(log) {
      const { topic } = await committed(log, 2)
      expectTrue((await log.call(topic.scan(places).toIpc())).length > 0, 'an IPC stream has bytes')
    },
  },
  {
    name: 'says unsupported to Arrow',
    without: 'arrow',
    async run(log) {
      const scan = (await log.attach()).scan(places)
      await expectError(log.call(scan.toIpc()), 'unsupported', 'toIpc')
      await expectError(log.call(scan.toArrow()), 'unsupported', 'toArrow')
      await expectError(log.call(collected(scan.arrowBatches())), 'unsupported', 'arrowBatches')
    },
  },
  {
    name: 'audits what it holds against what it was given, and names the gaps',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 2)
      log.hot.sendGap(0, 3)
      sendSome(log, 0, 1)
      sendSome(log, 1, 2)
      await tiered(log, topic)
      const { clean, partitions, gaps } = await log.call(topic.audit())
      expectTrue(clean, 'the audit is clean')
      const counted = partitions.map(({ incarnation, partition, rows, ledgerRows, skipped, frontier }) => {
        return [incarnation, partition, rows, ledgerRows, skipped, frontier]
      })
      expectEqual(
        counted.sort((a, b) => Number(a[1]) - Number(b[1])),
        [
          [1, 0, 3n, 3n, 3n, 6n],
          [1, 1, 2n, 2n, 0n, 2n],
        ],
        'the counts of each partition',
      )
      expectEqual(gaps, [{ incarnation: 1, partition: 0, from: 2n, to: 5n, reason: 'skipped' }], 'the gaps')
      const signal = AbortSignal.abort()
      await expectError(log.call(topic.audit({ signal })), 'aborted', 'an audit after its signal')
    },
  },
]
