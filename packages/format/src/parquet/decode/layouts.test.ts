import { describe, expect, it } from 'vitest'
import { openParquet } from '../open-parquet.ts'
import { concat, levelsV1, pageFile, plainInt32, type TestElement } from '../page-file.test-support.ts'
import { field, listType, rowsOf, structType } from '../parquet.test-columns.ts'
import { bytesRangeReader } from '../range-reader.ts'
import { readColumn, readRows, testChunk, testPage } from '../read-pages.test-support.ts'

describe('layouts of lists and maps', () => {
  // [[1, 2], [], null, [3]], where it can be null and its elements cannot.
  const twoLevel = testChunk(
    testPage(5, concat(levelsV1([0, 1, 0, 0, 0], 1), levelsV1([2, 2, 1, 0, 2], 2), plainInt32(1, 2, 3))),
  )
  const list = (repeated: TestElement, converted?: number): TestElement => ({
    name: 'c',
    repetition: 'OPTIONAL',
    ...(converted === undefined ? {} : { converted }),
    fieldId: 1,
    children: [repeated],
  })
  const repeated = (name: string, more: Partial<TestElement> = {}): TestElement => ({
    name,
    repetition: 'REPEATED',
    ...more,
  })
  const int = (name: string, more: Partial<TestElement> = {}): TestElement => ({
    name,
    repetition: 'REQUIRED',
    type: 'INT32',
    ...more,
  })
  const LIST = 3

  it('of two levels, with the element repeated itself', async () => {
    const element = list(repeated('array', { type: 'INT32', fieldId: 2 }), LIST)
    expect(await readColumn(element, twoLevel, 4, listType(2, 'int'))).toEqual([[1, 2], [], null, [3]])
  })

  it('of two levels, told from three by names and children', async () => {
    const one = [int('x', { fieldId: 3 })]
    for (const name of ['array', 'c_tuple']) {
      const element = list(repeated(name, { children: one, fieldId: 2 }), LIST)
      expect(await readColumn(element, twoLevel, 4, listType(2, structType(field(3, 'x', 'int'))))).toEqual([
        [[1], [2]],
        [],
        null,
        [[3]],
      ])
    }
    const element = list(repeated('bag', { children: [int('x', { fieldId: 2 })] }), LIST)
    expect(await readColumn(element, twoLevel, 4, listType(2, 'int'))).toEqual([[1, 2], [], null, [3]])
    const pair = list(
      repeated('bag', { fieldId: 2, children: [int('x', { fieldId: 3 }), int('y', { fieldId: 4 })] }),
      LIST,
    )
    const bytes = pageFile([pair], 4, [twoLevel, twoLevel])
    const type = listType(2, structType(field(4, 'y', 'int')))
    expect(await readRows(bytes, [field(1, 'c', type)])).toEqual([[[[1], [2]]], [[]], [null], [[[3]]]])
  })

  it('without a group around them, which cannot be null', async () => {
    const body = concat(levelsV1([0, 1, 0, 0], 1), levelsV1([1, 1, 0, 1], 1), plainInt32(1, 2, 3))
    const element = repeated('c', { type: 'INT32', fieldId: 1 })
    expect(await readColumn(element, testChunk(testPage(4, body)), 3, listType(2, 'int'))).toEqual([[1, 2], [], [3]])
    const refused = readColumn(element, testChunk(testPage(4, body)), 3, 'int')
    await expect(refused).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_TYPE' })
  })

  it('of lists in lists, whose inner repeated group is the element', async () => {
    const inner = repeated('array', {
      fieldId: 2,
      converted: LIST,
      children: [repeated('array', { type: 'INT32', fieldId: 3 })],
    })
    // [[[1, 2], []], null, []]
    const body = concat(levelsV1([0, 2, 1, 0, 0], 2), levelsV1([3, 3, 2, 0, 1], 3), plainInt32(1, 2))
    const type = listType(2, listType(3, 'int'))
    expect(await readColumn(list(inner, LIST), testChunk(testPage(5, body)), 3, type)).toEqual([[[1, 2], []], null, []])
  })

  it('of maps under either name, with members by any name', async () => {
    for (const converted of [1, 2]) {
      const entries = repeated('entries', { children: [int('k', { fieldId: 2 }), int('v', { fieldId: 3 })] })
      const bytes = pageFile([list(entries, converted)], 4, [twoLevel, twoLevel])
      const type = {
        type: 'map',
        'key-id': 2,
        key: 'int',
        'value-id': 3,
        value: 'long',
        'value-required': true,
      } as const
      const file = await openParquet(bytesRangeReader(bytes, 'map.parquet'))
      const { columns } = await file.read({ rowGroup: 0, types: [field(1, 'c', type)] })
      const map = columns[0]!.column
      expect(map).toMatchObject({ storage: 'list', length: 4, element: { storage: 'struct', length: 3 } })
      expect(rowsOf({ length: 4, columns })).toEqual([
        [
          [
            [1, 1n],
            [2, 2n],
          ],
        ],
        [[]],
        [null],
        [[[3, 3n]]],
      ])
    }
  })

  it('whose leaves disagree are corrupt', async () => {
    const other = testChunk(
      testPage(5, concat(levelsV1([0, 0, 0, 1, 0], 1), levelsV1([2, 2, 1, 2, 2], 2), plainInt32(1, 2, 3, 4))),
    )
    const entries = repeated('bag', { fieldId: 2, children: [int('x', { fieldId: 3 }), int('y', { fieldId: 4 })] })
    const bytes = pageFile([list(entries, LIST)], 4, [twoLevel, other])
    const type = listType(2, structType(field(3, 'x', 'int'), field(4, 'y', 'int')))
    await expect(readRows(bytes, [field(1, 'c', type)])).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'PARQUET_LEVELS',
    })
    const late = testChunk(
      testPage(5, concat(levelsV1([1, 1, 0, 0, 0], 1), levelsV1([2, 2, 1, 0, 2], 2), plainInt32(1, 2, 3))),
    )
    const element = list(repeated('array', { type: 'INT32', fieldId: 2 }), LIST)
    await expect(readColumn(element, late, 4, listType(2, 'int'))).rejects.toMatchObject({ kind: 'corrupt' })
  })

  it('take their ids from a mapping by what they are, not by their names', async () => {
    const bag = repeated('bag', { children: [int('array_element')] })
    const bytes = pageFile([{ name: 'c', repetition: 'OPTIONAL', converted: LIST, children: [bag] }], 4, [twoLevel])
    const nameMapping = [{ 'field-id': 1, names: ['c'], fields: [{ 'field-id': 2, names: ['element'] }] }]
    const rows = await readRows(bytes, [field(1, 'c', listType(2, 'int'))], { nameMapping })
    expect(rows).toEqual([[[1, 2]], [[]], [null], [[3]]])
  })

  it('are known by their levels where none of their members is wanted', async () => {
    const entries = repeated('bag', { fieldId: 2, children: [int('x', { fieldId: 3 }), int('y', { fieldId: 4 })] })
    const bytes = pageFile([list(entries, LIST)], 4, [twoLevel, twoLevel])
    const added = listType(2, structType(field(9, 'new', 'string')))
    expect(await readRows(bytes, [field(1, 'c', added)])).toEqual([[[[null], [null]]], [[]], [null], [[[null]]]])
    expect(await readRows(bytes, [field(1, 'c', listType(8, 'uuid'))])).toEqual([
      [[null, null]],
      [[]],
      [null],
      [[null]],
    ])
  })

  it('give any rows, from pages that end within a row too', async () => {
    // [1, 2], [3, 4, 5], [], [6] with a page boundary in the second row.
    const first = concat(levelsV1([0, 1, 0], 1), levelsV1([2, 2, 2], 2), plainInt32(1, 2, 3))
    const second = concat(levelsV1([1, 1, 0, 0], 1), levelsV1([2, 2, 1, 2], 2), plainInt32(4, 5, 6))
    const element = list(repeated('array', { type: 'INT32', fieldId: 2 }), LIST)
    const bytes = pageFile([element], 4, [testChunk(testPage(3, first), testPage(4, second))])
    const wanted = [[[1, 2]], [[3, 4, 5]], [[]], [[6]]]
    for (let start = 0; start < 4; start++) {
      for (let end = start + 1; end <= 4; end++)
        expect(await readRows(bytes, [field(1, 'c', listType(2, 'int'))], { rows: { start, end } })).toEqual(
          wanted.slice(start, end),
        )
    }
  })
})
