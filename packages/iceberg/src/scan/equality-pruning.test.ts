import type { IcebergField, IcebergType, JsonValue } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describedParquet, noMetrics } from '../deletes/deletes.test-support.ts'
import type { FileMetrics, Value } from '../deletes/deletes.test-support.ts'
import { rowKeys } from '../deletes/row-keys.ts'
import type { DataFile, DeleteFile } from '../manifests/data-file.ts'
import { dataFileMetrics } from '../manifests/data-file-metrics.ts'
import { deleteFile } from '../manifests/delete-manifest.test-support.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { encodeSingleValue } from '../values/single-value.ts'
import { equalityMightMatch } from './equality-pruning.ts'
import { columnFrom, columns, metricsFrom, rowsArbitrary, testSchema, type Row } from './expression.test-support.ts'

const field = (id: number, name: string, type: IcebergType, initial?: JsonValue): IcebergField => {
  return { id, name, required: false, type, ...(initial !== undefined && { 'initial-default': initial }) }
}
const bare = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [])

/** A file that says this of itself. */
const stating = (recordCount: number, metrics: Partial<FileMetrics>): DataFile =>
  ({ ...noMetrics, ...metrics, recordCount: BigInt(recordCount), specId: 0, partition: [] }) as unknown as DataFile

const deleting = ({ recordCount, nullValueCounts, nanValueCounts, lowerBounds, upperBounds }: DataFile): DeleteFile =>
  deleteFile('equality', 'e', 2n, { recordCount, nullValueCounts, nanValueCounts, lowerBounds, upperBounds })

type Rows = readonly (readonly Value[])[]

function fileOf(fields: readonly IcebergField[], rows: Rows): DataFile {
  return stating(rows.length, describedParquet(fields, rows).metrics)
}

const might = (deletes: DataFile, data: DataFile, fields: readonly IcebergField[], spec = bare): boolean =>
  equalityMightMatch({ file: data, spec }, fields)(deleting(deletes))

describe('equalityMightMatch', () => {
  it('never leaves out what deletes a row, by columns of every type', () => {
    let left = 0
    const keysOf = (rows: readonly Row[], ids: readonly number[]): string[] => {
      const read = ids.map((id) => ({ name: `c${id}`, column: columnFrom(rows, id - 1) }))
      const key = rowKeys({ length: rows.length, columns: read })
      return rows.map((_, row) => key(row))
    }
    const compared = fc.subarray(
      columns.map((column) => column.field.id),
      { minLength: 1, maxLength: 2 },
    )
    fc.assert(
      fc.property(rowsArbitrary, rowsArbitrary, compared, (rows, gone, ids) => {
        const [file, deletes] = [rows, gone].map((each) =>
          stating(each.length, dataFileMetrics(testSchema, metricsFrom(each))),
        ) as [DataFile, DataFile]
        const fields = testSchema.fields.filter(({ id }) => ids.includes(id))
        const keys = new Set(keysOf(gone, ids))
        const matches = keysOf(rows, ids).some((key) => keys.has(key))
        const may = might(deletes, file, fields)
        if (matches) expect(may).toBe(true)
        if (!may) left++
      }),
      { numRuns: 2000 },
    )
    expect(left).toBeGreaterThan(200)
  })

  const [number, text] = [field(1, 'n', 'long'), field(2, 's', 'string')]
  const both = [number, text]
  const rows: Rows = [
    [10n, 'b'],
    [20n, 'c'],
  ]
  const data = fileOf(both, rows)

  it('leaves out what has no value in common in one of the columns', () => {
    expect(might(fileOf([number], [[9n], [1n]]), data, [number])).toBe(false)
    expect(might(fileOf([number], [[21n]]), data, [number])).toBe(false)
    expect(might(fileOf([number], [[15n]]), data, [number])).toBe(true)
    expect(might(fileOf([number], [[20n]]), data, [number])).toBe(true)
    expect(might(fileOf([number], [[9n], [21n]]), data, [number])).toBe(true)
    expect(might(fileOf(both, [[10n, 'd']]), data, both)).toBe(false)
    expect(might(fileOf(both, [[10n, 'b']]), data, both)).toBe(true)
  })

  it('lets null meet null alone', () => {
    const [nulls, some] = [fileOf(both, [[null, 'b']]), fileOf(both, [...rows, [null, 'b']])]
    const noNull = fileOf([number], [[1n]])
    expect(might(fileOf([number], [[null]]), data, [number])).toBe(false)
    expect(might(fileOf([number], [[null]]), some, [number])).toBe(true)
    expect(might(noNull, nulls, [number])).toBe(false)
    expect(might(fileOf([number], [[1n], [null]]), some, [number])).toBe(true)
    expect(might(fileOf([number], [[1n], [null]]), data, [number])).toBe(false)
  })

  it('lets NaN meet NaN, whatever the bounds of the numbers', () => {
    const x = field(1, 'x', 'double')
    const [low, high] = [fileOf([x], [[1], [NaN]]), fileOf([x], [[5], [NaN]])]
    expect(might(low, high, [x])).toBe(true)
    // Where either of them counts none, there is none; what is not counted may be there.
    const [one, five] = [fileOf([x], [[1]]), fileOf([x], [[5]])]
    const uncounted = (file: DataFile): DataFile => ({ ...file, nanValueCounts: new Map() })
    expect(might(low, five, [x])).toBe(false)
    expect(might(one, high, [x])).toBe(false)
    expect(might(one, uncounted(five), [x])).toBe(false)
    expect(might(low, uncounted(five), [x])).toBe(true)
    expect(might(uncounted(one), high, [x])).toBe(true)
    expect(might(fileOf([x], [[-0]]), fileOf([x], [[0]]), [x])).toBe(true)
    const bound = (value: number) => new Map([[1, encodeSingleValue('double', value)]])
    const odd = { ...fileOf([x], [[5]]), lowerBounds: bound(NaN), upperBounds: bound(NaN) }
    expect(might(low, odd, [x])).toBe(true)
  })

  it('takes bounds of before a column was promoted as what they are', () => {
    const old = field(1, 'n', 'int')
    const [small, wide] = [fileOf([old], [[10], [20]]), fileOf([number], [[5_000_000_000n]])]
    expect(might(wide, small, [number])).toBe(false)
    expect(might(small, wide, [number])).toBe(false)
    expect(might(fileOf([number], [[20n]]), small, [number])).toBe(true)
    const [day, at] = [field(1, 'd', 'date'), field(1, 'd', 'timestamp')]
    const days = fileOf([day], [[10]])
    expect(might(fileOf([at], [[864_000_000_000n]]), days, [at])).toBe(true)
    expect(might(fileOf([at], [[10n]]), days, [at])).toBe(false)
  })

  it.each<readonly [what: string, change: Partial<FileMetrics>]>([
    ['no metrics', noMetrics],
    ['no bounds', { lowerBounds: new Map(), upperBounds: new Map() }],
    ['a lower bound alone', { upperBounds: new Map() }],
    [
      'bounds of no long',
      { lowerBounds: new Map([[1, new Uint8Array(3)]]), upperBounds: new Map([[1, new Uint8Array(9)]]) },
    ],
    ['bounds in the wrong order', { lowerBounds: data.upperBounds, upperBounds: data.lowerBounds }],
  ])('takes %s for anything', (_, change) => {
    const odd = { ...data, ...change }
    const above = fileOf([number], [[30n]])
    expect(might(above, data, [number])).toBe(false)
    expect(might(above, odd, [number])).toBe(true)
    expect(might(odd, fileOf([number], [[30n]]), [number])).toBe(true)
  })

  it('believes no count of nulls that cannot be', () => {
    const nulls = fileOf([number], [[null]])
    for (const count of [-1n, 3n]) {
      const odd = { ...data, nullValueCounts: new Map([[1, count]]) }
      expect(might(nulls, odd, [number])).toBe(true)
      expect(might(fileOf([number], [[10n]]), odd, [number])).toBe(true)
    }
    expect(might(nulls, { ...data, nullValueCounts: new Map() }, [number])).toBe(true)
  })

  it('is not misled by a file that lacks the column and calls it null', () => {
    const lacking = stating(2, { valueCounts: new Map([[3, 2n]]), nullValueCounts: new Map([[3, 2n]]) })
    const plain = field(3, 'late', 'int')
    const seven = fileOf([plain], [[7]])
    expect(might(seven, lacking, [plain])).toBe(false)
    expect(might(seven, lacking, [field(3, 'late', 'int', 7)])).toBe(true)
    const inside = field(4, 'place', { type: 'struct', fields: [plain] }, {})
    expect(might(fileOf([inside], [[{ late: 7 }]]), lacking, [inside])).toBe(true)
    const spec = bindPartitionSpec(
      { 'spec-id': 1, fields: [{ 'source-id': 3, 'field-id': 1000, name: 'late', transform: 'identity' }] },
      [{ type: 'struct', 'schema-id': 0, fields: [plain] }],
    )
    expect(might(seven, lacking, [plain], spec)).toBe(true)
  })

  it('goes by members of structs', () => {
    const place = field(5, 'place', { type: 'struct', fields: [field(6, 'x', 'int')] })
    const here = fileOf([place], [[{ x: 1 }], [{ x: 3 }]])
    expect(might(fileOf([place], [[{ x: 4 }]]), here, [place])).toBe(false)
    expect(might(fileOf([place], [[{ x: 2 }]]), here, [place])).toBe(true)
    expect(might(fileOf([place], [[null]]), fileOf([place], [[null]]), [place])).toBe(true)
  })

  it('is for columns without values, too', () => {
    const nothing = field(9, 'u', 'unknown')
    expect(might(fileOf([number], [[1n]]), data, [nothing])).toBe(true)
  })
})
