/** Each adapter's table of answers, held against docs/stores.md. */
import { readFile } from 'node:fs/promises'
import { failureOf, verdictOf } from '@moulin/core'
import type { StoreAnswer, StoreFailure } from '@moulin/core'
import { azureAnswers } from '@moulin/storage-azure'
import { s3Answers } from '@moulin/storage-s3'
import { describe, expect, it } from 'vitest'

const failureBy = ({ status, code, on }: StoreAnswer): StoreFailure => ({
  store: 'a store',
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

/** Whether a row is about what another one names. */
function fits(row: StoreAnswer, other: StoreAnswer): boolean {
  const { status, code, call } = failureBy(other)
  return (
    (row.status ?? status) === status && (row.code ?? code) === code && (row.on === undefined || row.on.includes(call))
  )
}

describe.each<[string, readonly StoreAnswer[]]>([
  ['s3Answers', s3Answers],
  ['azureAnswers', azureAnswers],
])('%s', (name, answers) => {
  it.each(answers.map((row) => [`${row.status ?? ''} ${row.code ?? ''} ${row.on?.join() ?? ''}`, row] as const))(
    'are told by the row that means them: %s',
    (_, row) => {
      expect(verdictOf(answers, failureBy(row))).toBe(row.means)
      expect(answers.find((each) => fits(each, row))).toBe(row)
    },
  )

  it('stand in docs/stores.md as they are', async () => {
    const page = await readFile(new URL('../../docs/stores.md', import.meta.url), 'utf8')
    const [, table = ''] = new RegExp(`<!-- ${name} -->\n([^]*?)\n<!-- /${name} -->`).exec(page) ?? []
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2)
    expect(rows).toEqual(answers.map(rowOf))
  })
})

it.each([
  ['RegionMissing', /no region is named .*AWS_REGION/],
  ['CredentialsProviderError', /no credentials were found .*options.*environment/],
])('s3Answers say what to do where nothing was sent: %s', (code, sentence) => {
  const { message } = failureOf(s3Answers, { store: 's3(lake)', call: 'get', key: 'k', code })
  expect(message).toMatch(sentence)
})
