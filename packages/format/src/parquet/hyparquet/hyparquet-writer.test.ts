import { isMoulinError } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { FileWriterOptions } from '../file-writer.ts'
import { field, listType, mapType } from '../parquet.test-columns.ts'
import { hyparquetWriter } from './hyparquet-writer.ts'

function codeOf(type: Parameters<typeof field>[2], options: Partial<FileWriterOptions> = {}): string | undefined {
  try {
    hyparquetWriter.create({ schema: { type: 'struct', fields: [field(1, 'm', type)] }, ...options })
  } catch (error) {
    return isMoulinError(error) ? error.code : 'not ours'
  }
  return undefined
}

// What every FileWriter does is in ../file-writer.test.ts.
describe('hyparquetWriter', () => {
  it('refuses maps, wherever they are', () => {
    const map = mapType(2, 'string', 'int')
    expect(codeOf(map)).toBe('PARQUET_MAP')
    expect(codeOf(listType(9, { type: 'struct', fields: [field(10, 'm', map)] }))).toBe('PARQUET_MAP')
  })

  it('refuses the options that only our own encoder has', () => {
    expect(codeOf('int', { pageVersion: 2 })).toBe('PARQUET_OPTION')
    expect(codeOf('int', { encodings: {} })).toBe('PARQUET_OPTION')
    expect(codeOf('int', { columnIndexes: 'all' })).toBe(undefined)
  })
})
