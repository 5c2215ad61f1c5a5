/**
 *     npm run bench -- NAME [--json]
 *
 * Runs one bench: every case beside its peer, in interleaved rounds of one run, and prints medians. With `--json`, one
 * line `{bench, case, value, unit, peer, ratio}` per case and peer; `ratio` is our time over the peer's.
 */
import { parseArgs } from 'node:util'
import type { Bench, BenchLine } from './bench.ts'

const benches: Readonly<Record<string, () => Promise<{ bench: Bench }>>> = {
  wal: () => import('./cases/wal.ts'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const name = positionals[0] ?? ''
const load = benches[name]
if (load === undefined) {
  console.error(`There is no bench called ${JSON.stringify(name)}. There are: ${Object.keys(benches).join(', ')}.`)
  process.exit(2)
}
const { bench } = await load()
await bench((line: BenchLine) => {
  if (values.json) console.log(JSON.stringify(line))
  else
    console.log(`${line.case.padEnd(36)} ${line.value.toFixed(3).padStart(12)} ${line.unit.padEnd(12)} ${beside(line)}`)
})

function beside({ peer, ratio }: BenchLine): string {
  return peer === null ? '' : `${ratio!.toFixed(2)} x ${peer}`
}
