import { readFile } from 'node:fs/promises'
import { failureOf, verdictOf } from '@moulin/core'
import type { StoreAnswer, StoreFailure } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { azureAnswers } from './azure-answers.ts'

const failureBy = ({ status, code, on }: StoreAnswer): StoreFailure => ({
  store: 'azure(lake/logs/)',
  call: on?.[0] ?? 'overwrite',
  key: 'k',
  status,
  code,
})

/** A row of the table in docs/stores.md. */
function rowOf(row: StoreAnswer): string {
  const { kind, code, outcome } = failureOf([row], failureBy(row))
  const word = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``)
  const thrown = `\`${kind}\`, \`${code}\`${outcome === 'unknown' ? ', of writes `unknown`' : ''}`
  const cells = [row.status ?? 'none', word(row.code), row.on?.join(', ') ?? '', thrown, row.source]
  return `| ${cells.join(' | ')} |`
}

describe('the answers of Azure', () => {
  it.each(azureAnswers.map((row) => [`${row.status ?? ''} ${row.code ?? ''} ${row.on?.join() ?? ''}`, row] as const))(
    'are told by the row that means them: %s',
    (_, row) => {
      expect(verdictOf(azureAnswers, failureBy(row))).toBe(row.means)
      expect(azureAnswers.find((each) => fits(each, row))).toBe(row)
    },
  )

  it('stand in docs/stores.md as they are', async () => {
    const page = await readFile(new URL('../../../docs/stores.md', import.meta.url), 'utf8')
    const [, table = ''] = /<!-- azureAnswers -->\n([^]*?)\n<!-- \/azureAnswers -->/.exec(page) ?? []
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2)
    expect(rows).toEqual(azureAnswers.map(rowOf))
  })
})

/** Whether a row is about what another one names. */
function fits(row: StoreAnswer, other: StoreAnswer): boolean {
  const { status, code, call } = failureBy(other)
  return (
    (row.status ?? status) === status && (row.code ?? code) === code && (row.on === undefined || row.on.includes(call))
  )
}
