import { readFile } from 'node:fs/promises'
import { failureOf, verdictOf } from '@moulin/core'
import type { StoreAnswer, StoreFailure } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { s3Answers } from './s3-answers.ts'

const failureBy = ({ status, code, on }: StoreAnswer): StoreFailure => ({
  store: 's3(lake)',
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

describe('the answers of S3', () => {
  it.each(s3Answers.map((row) => [`${row.status ?? ''} ${row.code ?? ''} ${row.on?.join() ?? ''}`, row] as const))(
    'are told by the row that means them: %s',
    (_, row) => {
      expect(verdictOf(s3Answers, failureBy(row))).toBe(row.means)
    },
  )

  it.each([
    ['RegionMissing', /no region is named .*AWS_REGION/],
    ['CredentialsProviderError', /no credentials were found .*options.*environment/],
  ])('say what to do where nothing was sent: %s', (code, sentence) => {
    const { message } = failureOf(s3Answers, { store: 's3(lake)', call: 'get', key: 'k', code })
    expect(message).toMatch(sentence)
  })

  it('stand in docs/stores.md as they are', async () => {
    const page = await readFile(new URL('../../../docs/stores.md', import.meta.url), 'utf8')
    const [, table = ''] = /<!-- s3Answers -->\n([^]*?)\n<!-- \/s3Answers -->/.exec(page) ?? []
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2)
    expect(rows).toEqual(s3Answers.map(rowOf))
  })
})
