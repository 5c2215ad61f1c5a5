/**
 * Three million real flights go in as Avro records, a table comes out, the same bytes come back.
 *
 *     npm start -- [--dir DIR] [--rows N] [--store s3 | --store s3://bucket/prefix [--storage JSON]] [--json]
 *
 * Run it again on the same folder and it goes on where it stopped; nothing is doubled.
 *
 * With `--store s3` log and table lie in a SeaweedFS that is started for this run and ends with it. With a URL they lie in that
 * bucket, as the SDK's environment says (`AWS_ENDPOINT_URL` …), and the write-ahead tier in DIR.wal; `--storage` are options of
 * the adapter, `{"listOrder":"none"}` for one.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { avro, month } from 'moulin'
import type { AuditReport, Log, Topic } from 'moulin'
import { checkTable, recordsIn } from './flights/checks.ts'
import { digestsIn } from './flights/digests.ts'
import { feed } from './flights/feed.ts'
import { openPlace } from './flights/place.ts'
import { quantile, reporter, round } from './flights/report.ts'
import { Flight, tableName, topicName } from './flights/schema.ts'
import { sourceFile, sourceRowCount, sourceRows } from './flights/source.ts'
import { tableFiles } from './flights/table-files.ts'
import { tail } from './flights/tail.ts'

const { values: args } = parseArgs({
  options: {
    dir: { type: 'string', default: './lake' },
    rows: { type: 'string' },
    store: { type: 'string' },
    storage: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const started = performance.now()
const report = reporter({ quiet: args.json })
const place = await openPlace(args)
const { digestDir } = place
const rows = Math.min(args.rows === undefined ? Infinity : Number(args.rows), await sourceRowCount())

const log = await report.phase('open', () => place.open())
const codec = avro(Flight)
const topic = await log.ensureTopic(topicName, {
  partitions: 4,
  value: codec,
  table: tableName,
  partitionBy: [month('date')],
  freshnessMs: 2_000,
})
const produced = await produce(topic)
const finished = await finish(log, topic)
await log.close()
const second = await report.phase('second process', readBack)
await place.close()
const result = {
  recordsAcked: produced.acked,
  recordsAlreadyThere: produced.alreadyThere,
  recordsPerSecond: Math.round(produced.acked / produced.seconds),
  ackP50Ms: round(quantile(produced.ackMs, 0.5)),
  ackP99Ms: round(quantile(produced.ackMs, 0.99)),
  halfwayScanEqual: produced.halfwayScanEqual,
  tableRows: finished.checks.rows,
  files: finished.files.length,
  bytes: finished.bytes,
  typedShare: round(finished.checks.typedShare, 6),
  auditClean: finished.audit.clean,
  coldSampleEqual: second.ok,
  seekP50Ms: second.seekP50Ms,
  groupByEqual: finished.checks.groupByEqual,
  sqlAuditEqual: finished.checks.sqlAuditEqual,
  tableLocation: finished.location,
  phases: report.phases,
  seconds: round((performance.now() - started) / 1000),
}
const failures = [
  !result.halfwayScanEqual && 'the scan at half did not count what was sent',
  !produced.tailEqual && 'the tailing reader did not see every record once',
  result.tableRows !== produced.acked + produced.alreadyThere && 'the table does not hold every record',
  result.typedShare < 0.99 && 'less than 99 % of the rows are typed',
  !result.auditClean && 'the audit is not clean',
  !result.coldSampleEqual && 'the second process did not get the same bytes back',
  !result.groupByEqual && 'GROUP BY origin differs from the source',
  !result.sqlAuditEqual && 'the audit in SQL differs from the ledger',
].filter((failure) => failure !== false)

report.line(summary())
for (const failure of failures) report.line(`FAILED: ${failure}`)
if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`)
process.exitCode = failures.length === 0 ? 0 : 1

/** Feeds the source while a reader tails; at half it pauses and takes a union scan. */
async function produce(topic: Topic<Flight>) {
  const already = recordsIn(topic)
  const digests = digestsIn(digestDir, topic.partitions)
  const sending = feed({ topic, codec, rows: sourceRows(rows), digests })
  const reader = tail(topic)
  const ackMs: number[] = []
  let acked = 0
  const begun = performance.now()
  const sendUpTo = (until: number) =>
    sending.sendUpTo(until, (ack) => {
      ackMs.push(ack.ms)
      acked += ack.records
      report.progress(
        sending.skipped + acked,
        rows,
        `${Math.round(acked / ((performance.now() - begun) / 1000))} records/s`,
      )
    })
  const half = Math.ceil(rows / 2)
  await report.phase('produce, first half', () => sendUpTo(half))
  const firstSeconds = report.phases['produce, first half']!
  const expected = already + acked
  const halfway = await report.phase('union scan at half', () => topic.scan().count())
  await report.phase('produce, second half', () => sendUpTo(rows))
  await sending.close()
  digests.close()
  const seen = await report.phase('tail catches up', () => reader.stopAt(topic.offsets().map((o) => o.highWatermark)))
  const seconds = firstSeconds + report.phases['produce, second half']!
  const tailEqual = seen === acked
  return { acked, alreadyThere: already, seconds, ackMs, halfwayScanEqual: halfway === expected, tailEqual }
}

/** Moves everything into the table, checks it, and waits until no write-ahead byte is left. */
async function finish(log: Log, topic: Topic<Flight>) {
  await report.phase('tier', async () => {
    await topic.tier()
  })
  await report.phase('release', async () => {
    await log.releaseNow()
    const { untieredBytes, wal } = log.stats()
    if (untieredBytes !== 0 || wal.liveSegments !== 0) {
      throw new Error(`${untieredBytes} untiered bytes and ${wal.liveSegments} write-ahead segments are left.`)
    }
  })
  const audit: AuditReport = await report.phase('audit', () => topic.audit())
  const { files, bytes, location } = await tableFiles(place.store, tableName)
  const checks = await report.phase('DuckDB', async () =>
    checkTable({ dataFiles: await place.filesOf(files), sourceFile, sourceRows: rows, audit }),
  )
  return { audit, files, bytes, location, checks }
}

/** A process with nothing but the place reads records by position and compares them with the digests. */
async function readBack(): Promise<{ ok: boolean; seekP50Ms: number }> {
  await place.forget()
  const script = fileURLToPath(new URL('./flights/second-process.ts', import.meta.url))
  const options = [...place.args, '--digests', digestDir, '--topic', topicName]
  const run = promisify(execFile)(process.execPath, ['--conditions=moulin-source', script, ...options])
  const output = await run.catch((error: { stdout?: string; stderr?: string }) => {
    report.line(error.stderr ?? String(error))
    return { stdout: error.stdout ?? '' }
  })
  const last = output.stdout.trim().split('\n').at(-1) ?? ''
  if (!last.startsWith('{')) return { ok: false, seekP50Ms: -1 }
  const seen = JSON.parse(last) as Record<string, number>
  report.line(`second process: ${last}`)
  const ok = seen['equal'] === seen['wanted'] && seen['decoded'] === seen['wanted'] && seen['walReads'] === 0
  return { ok, seekP50Ms: seen['seekP50Ms']! }
}

function summary(): string {
  return [
    '',
    `${result.recordsAcked} records acked (${result.recordsAlreadyThere} were there), ${result.recordsPerSecond} records/s`,
    `ack latency: p50 ${result.ackP50Ms} ms, p99 ${result.ackP99Ms} ms`,
    `table: ${result.tableRows} rows, ${result.files} files, ${round(result.bytes / 1e6)} MB at ${result.tableLocation}`,
    `typed: ${round(result.typedShare * 100)} % of rows; audit ${result.auditClean ? 'clean' : 'NOT clean'}; SQL audit ${result.sqlAuditEqual ? 'equal' : 'DIFFERS'}`,
    `second process: ${result.coldSampleEqual ? 'same bytes' : 'DIFFERENT bytes'}, seek p50 ${result.seekP50Ms} ms`,
    `${result.seconds} s in all`,
  ].join('\n')
}
