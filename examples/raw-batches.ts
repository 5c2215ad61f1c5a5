/** What a server of the Kafka protocol asks of a log: where a time begins, and the batches from there on as they lie. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, openLog, schema, t } from 'moulin'

const lake = process.argv[2] ?? join(mkdtempSync(join(tmpdir(), 'moulin-')), 'lake')
const log = await openLog(lake)
const Reading = schema({ sensor: t.string, celsius: t.double })
const readings = await log.ensureTopic('readings', {
  value: json(Reading),
  table: 'plant.readings',
  timestampBeforeMaxMs: -1,
  timestampAfterMaxMs: -1,
})
const noon = Date.UTC(2026, 5, 1, 12)
const producer = readings.producer({ lingerMs: 0 })
for (let minute = 0; minute < 5; minute++) {
  const value = { sensor: `s${minute % 2}`, celsius: 20 + minute }
  await producer.send({ value, timestamp: BigInt(noon + minute * 60_000) })
}
await readings.tier() // some of it in the table: it makes no difference

// #region raw-batches
const from = await readings.offsetFor(BigInt(noon + 90_000)) // the first record that is not older
console.log(`from offset ${from}`)

let next = from ?? 0n
for (let answers = 0; answers < 2; answers++) {
  const { batches, nextOffset, highWatermark } = await readings.fetch({ partition: 0, from: next, maxWaitMs: 100 })
  console.log(`${batches.length > 0 ? 'batches' : 'nothing'} up to ${nextOffset} of ${highWatermark}`)
  next = nextOffset
}

const owner = await log.topicOfTable({ namespace: ['plant'], name: 'readings' }) // whose history a table is
console.log(`plant.readings is the table of topic ${owner?.name}`)
// #endregion raw-batches
await log.close()
