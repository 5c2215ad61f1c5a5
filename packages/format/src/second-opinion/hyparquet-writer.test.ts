import { isMoulinError } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { FileWriterOptions } from '../parquet/file-writer.ts'
import { openParquet } from '../parquet/open-parquet.ts'
import { batchFrom, field, listType, mapType } from '../parquet/parquet.test-columns.ts'
import { bytesRangeReader } from '../parquet/range-reader.ts'
import { hyparquetWriter, writerOf } from './hyparquet-writer.ts'

const writer = await hyparquetWriter()

function codeOf(type: Parameters<typeof field>[2], options: Partial<FileWriterOptions> = {}): string | undefined {
  try {
    writer.create({ schema: { type: 'struct', fields: [field(1, 'm', type)] }, ...options })
  } catch (error) {
    return isMoulinError(error) ? error.code : 'not ours'
  }
  return undefined
}

// What every FileWriter does is in ../file-writer.test.ts.
describe('hyparquetWriter', () => {
  it('names the package that is not installed, and passes on what else went wrong', async () => {
    const missing = (): Promise<never> =>
      Promise.reject(Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' }))
    await expect(writerOf(missing)).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'PACKAGE_MISSING',
      message: expect.stringContaining('npm install hyparquet-writer') as string,
    })
    await expect(writerOf(() => Promise.reject(new Error('torn')))).rejects.toThrow(/^torn$/)
  })

  it('refuses maps, wherever they are', () => {
    const map = mapType(2, 'string', 'int')
    expect(codeOf(map)).toBe('PARQUET_MAP')
    expect(codeOf(listType(9, { type: 'struct', fields: [field(10, 'm', map)] }))).toBe('PARQUET_MAP')
  })

  it('states no bound that is long in a footer, and each without the other', async () => {
    const fields = [field(1, 'b', 'binary')]
    const [short, long] = [Uint8Array.of(1), new Uint8Array(257).fill(9)]
    const created = writer.create({ schema: { type: 'struct', fields }, columnIndexes: [] })
    created.writeRowGroup(batchFrom(fields, [[short], [long]]))
    created.writeRowGroup(batchFrom(fields, [[long], [long]]))
    const { bytes, metrics } = created.finish()
    const file = await openParquet(bytesRangeReader(bytes, 'long.parquet'))
    expect(file.rowGroups.map(({ bounds }) => bounds(1))).toEqual([{ min: short, nullCount: 0 }, { nullCount: 0 }])
    expect(metrics.get(1)).toMatchObject({ lower: short, upper: long })
  })

  it('refuses the options that only our own encoder has', () => {
    expect(codeOf('int', { pageVersion: 2 })).toBe('PARQUET_OPTION')
    expect(codeOf('int', { encodings: {} })).toBe('PARQUET_OPTION')
    expect(codeOf('int', { columnIndexes: 'all' })).toBe(undefined)
  })
})
