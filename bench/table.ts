import { reaches } from './bench.ts'
import type { BenchLine } from './bench.ts'

/** The head of the tables in docs/performance.md. */
export function tableHead(): string {
  return '| case | value | peer | ratio | reach |\n| --- | --- | --- | --- | --- |'
}

/** A figure that misses its reach is bold. */
export function tableRow(line: BenchLine): string {
  const { value, unit, peer, ratio, reach } = line
  const strong = (text: string): string => (reaches(line) === false ? `**${text}**` : text)
  const ofRatio = reach !== undefined && 'ratio' in reach
  const cells = [
    line.case,
    ofRatio || reach === undefined ? `${short(value)} ${unit}` : strong(`${short(value)} ${unit}`),
    peer ?? '',
    ratio === null ? '' : ofRatio ? strong(ratio.toFixed(2)) : ratio.toFixed(2),
    reach === undefined ? '' : 'ratio' in reach ? `≤ ${reach.ratio}` : `≤ ${reach.value} ${unit}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
