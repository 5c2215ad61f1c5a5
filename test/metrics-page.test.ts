/** docs/metrics.md lists what is measured, all of it and nothing else. */
import { readFile } from 'node:fs/promises'
import { metrics } from '@moulin/core'
import { expect, it } from 'vitest'

it('is the table of docs/metrics.md, row by row', async () => {
  const page = await readFile(new URL('../docs/metrics.md', import.meta.url), 'utf8')
  const code = (text: string): string => `\`${text}\``
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const expected = Object.entries(metrics).map(([name, { kind, unit, attributes, description }]) => {
    const cells = [code(name), kind, code(unit), attributes.map(code).join(', ') || '–', description]
    return `| ${cells.join(' | ')} |`
  })
  expect(rows).toEqual(expected)
})

it('has names, units and attributes as OpenTelemetry wants them', () => {
  for (const [name, { kind, unit, attributes, boundaries }] of Object.entries(metrics)) {
    for (const word of [name, ...attributes]) expect(word).toMatch(/^(messaging|moulin|error|http)(\.[a-z_]+)+$/)
    expect(unit).toMatch(/^(s|By|1|\{[a-z]+\})$/)
    expect(boundaries !== undefined, name).toBe(kind === 'histogram')
    expect(boundaries ?? []).toEqual([...(boundaries ?? [])].sort((a, b) => a - b))
  }
})
