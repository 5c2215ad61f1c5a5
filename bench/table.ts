import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { reaches } from './bench.ts'
import type { BenchLine } from './bench.ts'

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))

/** The table of docs/performance.md; a figure that misses its reach is bold. */
export function table(lines: readonly BenchLine[]): string {
  return [
    '| case | value | peer | ratio | lowest – highest | reach |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines.map(row),
  ].join('\n')
}

/** Puts the table in its place in docs/performance.md. */
export async function writeTable(bench: string, lines: readonly BenchLine[]): Promise<void> {
  const text = await readFile(page, 'utf8')
  const [begin, end] = [`<!-- bench ${bench} -->`, `<!-- end -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end, from)
  if (from < 0 || to < 0) throw new Error(`docs/performance.md has no place for the bench ${bench}.`)
  await writeFile(page, `${text.slice(0, from)}${begin}\n\n${table(lines)}\n\n${text.slice(to)}`)
}

function row(line: BenchLine): string {
  const { value, unit, peer, ratio, reach } = line
  const strong = (text: string): string => (reaches(line) === false ? `**${text}**` : text)
  const isOfRatio = reach !== undefined && 'ratio' in reach
  const figure = `${short(value)} ${unit}`
  const quotient = ratio === null ? '' : ratio.toFixed(2)
  const goal =
    reach === undefined ? '' : 'ratio' in reach ? `≤ ${short(reach.ratio)}` : `≤ ${short(reach.value)} ${unit}`
  const cells = [
    line.case,
    isOfRatio ? figure : strong(figure),
    peer ?? '',
    isOfRatio ? strong(quotient) : quotient,
    spreadText(line),
    goal,
  ]
  return `| ${cells.join(' | ')} |`
}

/** Of the ratios, or of the values where there are none; empty for what has no spread. */
export function spreadText({ ratio, spread }: BenchLine): string {
  const text = (figure: number): string => (ratio === null ? short(figure) : figure.toFixed(2))
  return spread === null ? '' : `${text(spread[0])} – ${text(spread[1])}`
}

/** Three digits, or all before the point. */
export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}
