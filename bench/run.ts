/**
 *     npm run bench -- NAME [--json | --write] [--check] [--rounds N] [--rows N] [--only CASE] [--peer PEER] [--cpu] [--kafka]
 *
 * Runs one bench: every case beside its peers, in interleaved rounds of one run, and prints medians. With `--json`, one
 * line `{bench, case, value, unit, peer, ratio, spread}` per case and peer; `ratio` is our time over the peer's, `spread` the
 * lowest and highest of the ratios round by round. `--write`
 * also puts the table into docs/performance.md, `--check` fails when a figure is above what it must reach. `--kafka` is for `produce`.
 */
import { parseArgs } from 'node:util'
import { reaches } from './bench.ts'
import type { Bench, BenchLine } from './bench.ts'
import { short, spreadText, writeTable } from './table.ts'

const benches: Readonly<Record<string, () => Promise<{ bench: Bench }>>> = {
  back: () => import('./cases/back.ts'),
  commits: () => import('./cases/commits.ts'),
  decode: () => import('./cases/decode.ts'),
  encode: () => import('./cases/encode.ts'),
  gateway: () => import('./cases/gateway.ts'),
  needle: () => import('./cases/needle.ts'),
  path: () => import('./cases/path.ts'),
  plan: () => import('./cases/plan.ts'),
  produce: () => import('./cases/produce.ts'),
  store: () => import('./cases/store.ts'),
  wal: () => import('./cases/wal.ts'),
  workers: () => import('./cases/workers.ts'),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    cpu: { type: 'boolean', default: false },
    kafka: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string' },
    only: { type: 'string', default: '' },
    peer: { type: 'string', default: '' },
  },
})
const name = positionals[0] ?? ''
const load = benches[name]
if (load === undefined) {
  console.error(`There is no bench called ${JSON.stringify(name)}. There are: ${Object.keys(benches).join(', ')}.`)
  process.exit(2)
}
const { bench } = await load()
const options = {
  rounds: Number(values.rounds),
  rows: values.rows === undefined ? undefined : Number(values.rows),
  only: values.only,
  peer: values.peer,
  clock: values.cpu ? 'cpu' : 'wall',
  kafka: values.kafka,
} as const
// So that folders are removed, and what was started is ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
const lines: BenchLine[] = []
await bench((line) => {
  lines.push(line)
  console.log(values.json ? jsonLine(line) : plainLine(line))
}, options)
if (values.write) await writeTable(name, lines)
const missed = lines.filter((line) => reaches(line) === false)
if (values.check) for (const line of missed) console.error(`missed: ${plainLine(line)}`)
// Peers and workers may hold the process open; all figures are out.
process.exit(values.check && missed.length > 0 ? 1 : 0)

function jsonLine({ bench, case: of, value, unit, peer, ratio, spread }: BenchLine): string {
  return JSON.stringify({ bench, case: of, value, unit, peer, ratio, spread })
}

function plainLine(line: BenchLine): string {
  const { case: of, value, unit, peer, ratio, reach } = line
  const range = spreadText(line)
  const beside = peer === null ? range : `${ratio!.toFixed(2)} ${range && `(${range}) `}x ${peer}`
  const goal =
    reach === undefined
      ? ''
      : `${reaches(line) === true ? 'ok  ' : 'MISS'} <= ${short(Object.values(reach)[0] as number)}`
  return `${of.padEnd(36)} ${value.toFixed(3).padStart(12)} ${unit.padEnd(12)} ${beside.padEnd(42)} ${goal}`.trimEnd()
}
