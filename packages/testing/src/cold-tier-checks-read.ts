import { INT64_MIN } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from './assertions.ts'
import {
  collected,
  committed,
  expectAllRead,
  offsetSince,
  places,
  placesOf,
  recordAt,
  recordsIn,
  sendSome,
  sentPlaces,
  tiered,
  utf8,
} from './cold-tier-checks.ts'
import { suiteCodec } from './cold-tier-codec.ts'
import type { ColdTierCheck } from './cold-tier-checks.ts'
import { ownRecords } from './cut-run.ts'
import { suiteRecordsOf } from './suite-hot.ts'

/** Record batches from the history. */
export const readChecks: readonly ColdTierCheck[] = [
  {
    name: 'gives the bytes of keys, values, headers and times back, whatever they are',
    async run(log) {
      const topic = await log.attach()
      const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)
      log.hot.send(0, [
        { key: null, value: null },
        { key: utf8(''), value: utf8('') },
        { key: bytes, value: bytes, timestamp: 0n },
        {
          headers: [
            ['h', utf8('x')],
            ['h', null],
            ['', utf8('')],
            ['é', bytes],
          ],
          timestamp: 253_402_300_799_999n,
        },
      ])
      const { frontier } = await tiered(log, topic)
      await expectAllRead(log, topic, frontier)
    },
  },
  {
    name: 'gives any range, in order, from within a batch to within another',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 3)
      sendSome(log, 0, 2)
      await tiered(log, topic)
      sendSome(log, 0, 2)
      await tiered(log, topic)
      const sent = log.hot.sent(0)
      for (let from = 0; from <= sent.length; from++) {
        for (let to = from; to <= sent.length; to++) {
          const range = { partition: 0, from: BigInt(from), to: BigInt(to) }
          expectEqual(await recordsIn(log, topic, range), sent.slice(from, to), `the records of [${from}, ${to})`)
        }
      }
    },
  },
  {
    name: 'spans offsets without records, at the end of a range too',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 1)
      log.hot.sendGap(0, 3, { value: utf8('before a gap') })
      log.hot.sendGap(0, 2)
      sendSome(log, 0, 1)
      log.hot.sendGap(0, 4)
      const { rows, frontier } = await tiered(log, topic)
      expectEqual([rows, frontier], [3, [11n, 0n]], 'what the commit says')
      for (const [from, to] of [
        [0n, 11n],
        [2n, 6n],
        [7n, 11n],
        [9n, 10n],
      ] as const) {
        const sent = log.hot.sent(0).filter(({ offset }) => offset >= from && offset < to)
        expectEqual(await recordsIn(log, topic, { partition: 0, from, to }), sent, `the records of [${from}, ${to})`)
      }
    },
  },
  {
    name: 'names the schema of each value',
    async run(log) {
      const typed = log.topic({ codec: suiteCodec })
      const topic = await typed.attach()
      typed.hot.send(0, [{ value: suiteCodec.encode({ id: 1, city: 'ams' }) }, { value: null }], 1)
      const { frontier } = await tiered(typed, topic)
      await expectAllRead(typed, topic, frontier)
      const [run] = await typed.call(collected(topic.read({ partition: 0, from: 0n, to: 1n })))
      const ids = run!.valueSchemaIds
      expectEqual(typeof ids === 'number' ? ids : ids[0], 1, 'the schema id of the first value')
    },
  },
  {
    name: 'goes on with a read while commits are made',
    async run(log) {
      const topic = await log.attach()
      for (let batch = 0; batch < 3; batch++) {
        sendSome(log, 0, 2)
        await tiered(log, topic)
      }
      const offsets: bigint[] = []
      const runs = topic.read({ partition: 0, from: 0n, to: 6n })[Symbol.asyncIterator]()
      for (;;) {
        const { done, value } = await log.call(runs.next())
        if (done === true) break
        for (let offset = value.baseOffset; offset < value.nextOffset; offset++) {
          if (recordAt(value, offset) !== undefined) offsets.push(offset)
        }
        sendSome(log, 0, 1)
        await tiered(log, topic)
      }
      expectEqual(offsets, [0n, 1n, 2n, 3n, 4n, 5n], 'the offsets of a read that commits came into')
    },
  },
  {
    name: 'ends a read at its signal, and one that is left',
    async run(log) {
      const { topic } = await committed(log, 2)
      const range = { partition: 0, from: 0n, to: 2n }
      const signal = AbortSignal.abort()
      await expectError(log.call(collected(topic.read({ ...range, signal }))), 'aborted', 'read after its signal')
      const places = [{ partition: 0, offset: 0n }]
      await expectError(log.call(collected(topic.readAt(places, { signal }))), 'aborted', 'readAt after its signal')
      const runs = topic.read(range)[Symbol.asyncIterator]()
      await log.call(runs.next())
      await log.call(runs.return!())
      expectTrue((await log.call(runs.next())).done === true, 'a read that was left has ended')
    },
  },
  {
    name: 'gives single records in the order asked for, the same one twice too',
    async run(log) {
      const { topic } = await committed(log, [4, 2])
      const asked = [
        { partition: 1, offset: 1n },
        { partition: 0, offset: 3n },
        { partition: 0, offset: 0n },
        { partition: 0, offset: 3n },
        { partition: 1, offset: 0n },
      ]
      const runs = await log.call(collected(topic.readAt(asked)))
      expectEqual(runs.length, asked.length, 'how many runs there are')
      for (const [at, { partition, offset }] of asked.entries()) {
        const sent = log.hot.sent(partition)[Number(offset)]
        expectEqual(runs[at]!.partition, partition, `the partition of run ${at}`)
        expectEqual(recordAt(runs[at]!, offset), sent, `the record at ${partition}:${offset}`)
      }
    },
  },
  {
    name: 'leaves out the records of aborted transactions, and counts them apart',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 1)
      log.hot.sendAborted(
        0,
        ['a', 'b', 'c', 'd'].map((text) => ({ value: utf8(text) })),
        [1, 2],
      )
      log.hot.sendAborted(0, [{ value: utf8('e') }], [0])
      log.hot.sendGap(0, 2)
      sendSome(log, 0, 1)
      const shown = ['0:0', '0:1', '0:4', '0:8']
      expectEqual(sentPlaces(log), shown, 'what was sent')
      expectEqual(await placesOf(log, topic.scan(places)), shown, 'the rows while all is hot')
      const { rows, frontier } = await tiered(log, topic)
      expectEqual([rows, frontier], [4, [9n, 0n]], 'what the commit says')
      await expectAllRead(log, topic, frontier)
      expectEqual(await placesOf(log, topic.scan(places)), shown, 'the rows')
      expectEqual(await log.call(topic.scan({}).count()), 4, 'how many a count says there are')
      const asked = [1n, 2n, 5n].map((offset) => ({ partition: 0, offset }))
      const runs = await log.call(collected(topic.readAt(asked)))
      const found = runs.flatMap((run) => ownRecords(run, suiteRecordsOf).map(({ offset }) => offset))
      expectEqual(found, [1n], 'the offsets found')
      const { clean, partitions } = await log.call(topic.audit())
      const counts = partitions.find(({ partition }) => partition === 0)!
      const { rows: there, ledgerRows, aborted, skipped } = counts
      expectEqual([clean, there, ledgerRows, aborted, skipped], [true, 4n, 4n, 3n, 2n], 'the counts of an audit')
    },
  },
  {
    name: 'finds the first offset whose record is not older than a time',
    async run(log) {
      const topic = await log.attach()
      // They need not rise, and a record may have none.
      const times = [5_000n, 2_000n, 9_000n, -1n, 7_000n, 2_000n, 253_402_300_800_000n]
      const send = (partition: number, of: readonly bigint[]): unknown =>
        log.hot.send(
          partition,
          of.map((timestamp) => ({ value: utf8('x'), timestamp })),
        )
      send(0, times.slice(0, 3))
      send(1, [99_000n, 99_000n])
      await tiered(log, topic)
      send(0, times.slice(3))
      await tiered(log, topic)
      const asked = [...times, ...times.map((time) => time + 1n), 0n, 10_000n, -2n, INT64_MIN]
      for (const timestamp of asked) {
        for (const to of [0n, 1n, 3n, 4n, 7n]) {
          const at = times.slice(0, Number(to)).findIndex((time) => time >= timestamp)
          const expected = at < 0 ? undefined : BigInt(at)
          const found = await offsetSince(log, topic, { partition: 0, timestamp, to })
          expectEqual(found, expected, `the first offset below ${to} that is not older than ${timestamp}`)
        }
      }
      if (topic.offsetSince === undefined) return
      send(0, [253_402_300_800_500n])
      const above = { partition: 0, timestamp: 253_402_300_800_001n, to: 8n }
      expectEqual(await log.call(topic.offsetSince(above)), undefined, 'what is above the frontier')
      const signal = AbortSignal.abort()
      await expectError(log.call(topic.offsetSince({ ...above, signal })), 'aborted', 'offsetSince after its signal')
    },
  },
  {
    name: 'gives an empty run for a place without a record',
    async run(log) {
      const topic = await log.attach()
      sendSome(log, 0, 1)
      log.hot.sendGap(0, 2)
      sendSome(log, 0, 1)
      await tiered(log, topic)
      const asked = [0n, 1n, 2n, 3n].map((offset) => ({ partition: 0, offset }))
      const runs = await log.call(collected(topic.readAt(asked)))
      const found = runs.map((run, at) => recordAt(run, asked[at]!.offset)?.offset)
      expectEqual(found, [0n, undefined, undefined, 3n], 'the offsets found')
    },
  },
]
