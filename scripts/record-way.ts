/**
 *     npm run record-way [-- --names]
 *
 * Counts the files whose functions one record of a warm topic passes: from `send` to its ack, from `tier` to the table's commit, and from
 * the table back to a reader. V8 says which functions ran in between; files that only hold types or constants do not count.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import type { Profiler } from 'node:inspector'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, openLog, schema, t } from 'moulin'

const Reading = schema({ sensor: t.string, value: t.double, at: t.timestamptz })
const withNames = process.argv.includes('--names')
const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })

const dir = await mkdtemp(join(tmpdir(), 'record-way-'))
try {
  const log = await openLog(join(dir, 'lake'), { threads: 0 })
  const topic = await log.ensureTopic('readings', { value: json(Reading) })
  const producer = topic.producer({ lingerMs: 0 })
  const send = (value: number): Promise<unknown> =>
    producer.send({ key: 'north', value: { sensor: 'north', value, at: new Date(0) } })
  const readLast = async (): Promise<void> => {
    const from = topic.offsets()[0]!.highWatermark - 1n
    for await (const record of topic.read({ partition: 0, from, to: 'end' })) void record.value
  }
  const rounds: readonly (readonly [name: string, work: () => Promise<unknown>])[] = [
    ['to the ack', () => send(1)],
    ['to the table', () => topic.tier()],
    ['back from the table', readLast],
  ]
  // Warm: what is done once a topic is done by now.
  for (let warm = 0; warm < 3; warm++) {
    for (const [, work] of rounds) await work()
    await log.releaseNow()
  }
  await filesRun()
  for (const [name, work] of rounds) {
    if (name.startsWith('back')) {
      await log.releaseNow()
      await filesRun()
    }
    await work()
    const files = await filesRun()
    console.log(`${String(files.length).padStart(3)} files ${name}`)
    if (withNames) for (const file of files) console.log(`      ${file}`)
  }
  await log.close()
} finally {
  await rm(dir, { recursive: true })
}

/** Source files of packages with a function that ran since the last call. */
async function filesRun(): Promise<string[]> {
  const { result } = await session.post('Profiler.takePreciseCoverage')
  const hasRun = ({ functions }: Profiler.ScriptCoverage): boolean =>
    functions.some(({ functionName, ranges }) => functionName !== '' && (ranges[0]?.count ?? 0) > 0)
  return result
    .filter(({ url }) => url.includes('/packages/') && url.includes('/src/'))
    .filter(hasRun)
    .map(({ url }) => url.slice(url.indexOf('/packages/') + '/packages/'.length))
    .sort()
}
