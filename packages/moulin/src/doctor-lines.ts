import type { DoctorReport, Estimate, Latency } from './doctor-report.ts'

/** A report for people. */
export function doctorLines(report: DoctorReport): string[] {
  const { place, fitness, findings, latencies, modes, estimate, storage } = report
  return [
    `${place}: ${fitness}`,
    ...findings.map(({ verdict, check, says }) => `  ${verdict.padEnd(8)} ${check}: ${says}`),
    ...(latencies.length === 0 ? [] : ['latency in ms, one call after the other', ...latencies.map(latencyLine)]),
    'it can carry',
    ...modes.map(({ carries, mode, says }) => `  ${carries ? 'yes' : 'no '} ${mode}: ${says}`),
    ...(Object.keys(storage).length === 0 ? [] : [`open it with storage: ${JSON.stringify(storage)}`]),
    ...(estimate === null ? [] : estimateLines(estimate)),
  ]
}

function latencyLine({ operation, calls, p50Ms, p99Ms }: Latency): string {
  return `  ${operation.padEnd(8)} p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} (${calls} calls)`
}

function estimateLines({ recordsPerSecond, recordBytes, commits, usage, cost, keptPerMonth }: Estimate): string[] {
  const { get, head, list, put, delete: deletes } = usage.requests
  const gib = (usage.sentBytes / 2 ** 30).toFixed(1)
  return [
    `a month of ${recordsPerSecond} records/s of ${recordBytes} bytes, in one topic of one partition that nobody reads`,
    `  ${commits} commits: ${put} put, ${get} get, ${head} head, ${list} list, ${deletes} delete; ${gib} GiB before compression`,
    cost === null
      ? '  no prices are known for this place'
      : `  ${cost.currency} ${cost.total.toFixed(2)} for requests and transfer, and ${keptPerMonth!.toFixed(2)} for each month that these bytes are kept (${cost.prices.name}, ${cost.prices.date}: ${cost.prices.source})`,
  ]
}
