import { expect, it } from 'vitest'
import type { FooterColumn } from './footer.ts'
import { pageSpans } from './page-index.ts'

/** Three pages of ten rows and a hundred bytes each, behind a dictionary. */
const pages = [0, 10, 20].map((firstRow) => ({ start: 50 + firstRow * 10, end: 150 + firstRow * 10, firstRow }))
const column = { dictionaryPageOffset: 4, dataPageOffset: 50, compressedBytes: 346 } as FooterColumn

it.each([
  ['within one page', { start: 3, end: 7 }, { start: 50, end: 150 }, { start: 0, end: 10 }],
  ['to the end of a page', { start: 3, end: 10 }, { start: 50, end: 150 }, { start: 0, end: 10 }],
  ['that end with the first row of a page', { start: 3, end: 11 }, { start: 50, end: 250 }, { start: 0, end: 20 }],
  ['that begin with a page', { start: 10, end: 11 }, { start: 150, end: 250 }, { start: 10, end: 20 }],
  ['of all pages', { start: 0, end: 30 }, { start: 50, end: 350 }, { start: 0, end: 30 }],
])('takes the pages that hold the rows, and no more: rows %s', (_, wanted, data, rows) => {
  expect(pageSpans(pages, column, wanted, 30)).toEqual({ dictionary: { start: 4, end: 50 }, data, rows })
})
