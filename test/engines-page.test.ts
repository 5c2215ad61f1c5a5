/** docs/engines.md is what the last long run has seen, of every operation that the interop lane does. */
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { expectOnPage, judgedOperations, page, pageOf, readResults } from './foreign/engine-results.ts'

it('is written from the results, and knows every operation', async () => {
  const results = await readResults()
  expect(results.results.map(({ operation }) => operation)).toEqual(judgedOperations)
  expect(await readFile(page, 'utf8')).toBe(pageOf(results))
})

it('is contradicted by another verdict, and by an operation that it does not have', async () => {
  const [first] = judgedOperations
  await expectOnPage(first!, 'right')
  await expect(expectOnPage(first!, 'not right')).rejects.toThrow(`docs/engines.md says right of "${first}"`)
  await expect(expectOnPage('Nobody: nothing', 'right')).rejects.toThrow('says nothing')
})
