import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { avro, json, openLog, schema, t } from 'moulin'
const N = Number(process.env.N ?? 1_000_000), BYTES = 200, mode = process.env.MODE ?? 'raw', what = process.env.WHAT ?? 'sendAll', partitions = 4
const dir = await mkdtemp(join(process.env.DIR ?? '/tmp', 'ceil-'))
const Row = schema({ id: t.int53, at: t.timestamp, origin: t.string, delay: t.int53, note: t.string })
const payload = new Uint8Array(BYTES).map((_, i) => 97 + (i * 7) % 26)
const note = 'x'.repeat(Math.max(0, BYTES - 30))
const codec = mode === 'avro' ? avro(Row) : mode === 'json' ? json(Row) : undefined
const when = new Date(1.7e12)
function* records(n: number): Generator<any> {
  if (mode !== 'raw') for (let i = 0; i < n; i++) yield { partition: i & (partitions - 1), value: { id: i, at: when, origin: 'AMS', delay: i % 100, note } }
  else for (let i = 0; i < n; i++) yield { value: payload }
}
const log = await openLog(join(dir, 'lake'), { graceMs: 0, limits: { commitBytes: 8e9 } } as any)
const topic: any = await log.ensureTopic('t', { partitions, ...(codec && { value: codec }), freshnessMs: 3_600_000 } as any)
const producer = topic.producer({})
for (let round = 0; round < 3; round++) {
  const th = (process as any).threadCpuUsage(), w = performance.now()
  if (what === 'sendAll') await producer.sendAll(records(N))
  else { const gen = records(N / 5); await Promise.all(Array.from({ length: 1000 }, async () => { for (;;) { const { value, done } = gen.next(); if (done) return; await producer.send(value) } })) }
  const n = what === 'sendAll' ? N : N / 5
  const tt = (process as any).threadCpuUsage(th), thread = (tt.user + tt.system) / 1000
  console.log(mode, what, `${(n / (performance.now() - w)).toFixed(0)} k/s wall, main ${(thread / n * 1e6).toFixed(0)} ns (sys ${(tt.system / n * 1e3).toFixed(0)})`)
}
await log.close()
await rm(dir, { recursive: true })
process.exit(0)
