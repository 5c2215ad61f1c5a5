import type { FileScanTask } from '@moulin/iceberg'
import { expect, it } from 'vitest'
import { eachOnce } from './listed-once.ts'

const tableFiles = { spellings: (location: string) => [location] }

async function* listings(numbers: readonly bigint[]): AsyncGenerator<FileScanTask> {
  for (const sequenceNumber of numbers) {
    const file = { filePath: 's3://b/data/a.parquet', firstRowId: sequenceNumber }
    yield { file, sequenceNumber } as unknown as FileScanTask
  }
}

it.each([[[1n, 3n, 5n]], [[5n, 3n, 1n]], [[1n, 5n, 3n]], [[5n, 1n, 3n]], [[3n, 5n, 1n]], [[3n, 1n, 5n]]])(
  'takes what the last of three listings says, and the first one’s age, in whatever order they come: %s',
  async (numbers) => {
    const [one, ...others] = await eachOnce({ tableFiles }, listings(numbers))
    expect(others).toEqual([])
    expect(one).toMatchObject({ sequenceNumber: 1n, file: { firstRowId: 5n } })
  },
)
