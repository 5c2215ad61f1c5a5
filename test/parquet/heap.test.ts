import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { defaultLimits } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { runs } from './dice.ts'
import type { EncodeReport, FilesReport } from './heap-probe.ts'

const script = fileURLToPath(new URL('./heap-probe.ts', import.meta.url))
const MiB = 1024 * 1024

async function probe<T>(what: 'encode' | 'files', amount: number): Promise<T> {
  const args = ['--expose-gc', '--conditions=moulin-source', script, what, String(amount)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as T
}

describe('the memory of the Parquet writer and reader', () => {
  it('is bounded by pages while ten million rows go through a sink', async () => {
    const rows = runs(1_000_000, 10_000_000, 40_000_000)
    const report = await probe<EncodeReport>('encode', rows)
    console.log(
      `parquet heap: ${rows} rows, ${Math.round(report.fileBytes / MiB)} MiB of file, memory rose by ${Math.round(report.risenBytes / MiB)} MiB`,
    )
    expect(report.rows).toBe(rows)
    expect(report.sinkCalls).toBeGreaterThan(rows / 100_000)
    // What a row group may take of the budget, and 150 MB.
    expect(report.risenBytes).toBeLessThan(defaultLimits.rowGroupBytes + 150e6)
  }, 600_000)

  it('does not grow with the number of files written and read', async () => {
    const files = runs(200, 1000, 5000)
    const { earlyBytes, lateBytes } = await probe<FilesReport>('files', files)
    console.log(
      `parquet leak: ${files} files, ${Math.round(earlyBytes / 1024)} KiB early, ${Math.round(lateBytes / 1024)} KiB late`,
    )
    expect(lateBytes - earlyBytes).toBeLessThan(2 * MiB)
  }, 600_000)
})
