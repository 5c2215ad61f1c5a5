import { defaultLimits, unsupported } from '@moulin/core'
import { type Compression } from '../../bytes/compression.ts'
import type { FileWriterOptions } from '../file-writer.ts'
import type { Leaf } from '../parquet-schema.ts'
import type { LeafOptions } from './column-chunk.ts'
import { leafPlans, notALeaf } from './encodings.ts'
import { codecCodes } from './parquet-codes.ts'

/** Options with their defaults, checked. */
/** Bytes that a bound is cut to. */
export const BOUND_BYTES = 64

export interface WriterOptions {
  readonly compression: Compression
  readonly pageBytes: number
  readonly pageVersion: 1 | 2
  readonly pageChecksums: boolean
  readonly boundBytes: number
  readonly rowGroupBytes: number
  readonly leaves: readonly LeafOptions[]
  readonly sorting: readonly { readonly column: number; readonly descending: boolean; readonly nullsFirst: boolean }[]
}

/** @throws `unsupported` for a codec, page version or encoding that there is not; `invalid` for values out of range. */
export function writerOptions(options: FileWriterOptions, leaves: readonly Leaf[]): WriterOptions {
  const { compression = 'zstd', pageVersion = 1, pageChecksums = true, columnIndexes = ['_kafka_offset'] } = options
  if (!Object.hasOwn(codecCodes, compression))
    throw unsupported('PARQUET_CODEC', `The codec ${String(compression)} is not one that this writer has.`)
  const plans = leafPlans(leaves, options.encodings, options.deltas)
  const filters = bloomFilters(options.bloomFilters ?? {}, leaves)
  const isIndexed = (leaf: Leaf): boolean => columnIndexes === 'all' || columnIndexes.includes(leaf.path[0]!)
  return {
    compression,
    pageVersion,
    pageChecksums,
    pageBytes: options.pageBytes ?? defaultLimits.pageBytes,
    boundBytes: options.boundBytes ?? BOUND_BYTES,
    rowGroupBytes: options.rowGroupBytes ?? defaultLimits.rowGroupBytes,
    leaves: leaves.map((leaf, index) => ({
      plan: plans[index]!,
      hasColumnIndex: isIndexed(leaf),
      bloomFpp: filters.get(index),
    })),
    sorting: (options.sortingColumns ?? []).map(({ path, descending = false, nullsFirst = false }) => ({
      column: leafIndex('sortingColumns', path, leaves),
      descending,
      nullsFirst,
    })),
  }
}

function bloomFilters(
  filters: NonNullable<FileWriterOptions['bloomFilters']>,
  leaves: readonly Leaf[],
): Map<number, number> {
  const byLeaf = new Map<number, number>()
  for (const [path, { fpp = 0.01 }] of Object.entries(filters)) {
    const index = leafIndex('bloomFilters', path, leaves)
    if (leaves[index]!.element.type === 'BOOLEAN')
      throw unsupported('PARQUET_OPTION', `Column ${path} is boolean: Parquet has no bloom filter for it.`)
    byLeaf.set(index, fpp)
  }
  return byLeaf
}

function leafIndex(option: string, path: string, leaves: readonly Leaf[]): number {
  const index = leaves.findIndex((leaf) => leaf.path.join('.') === path)
  if (index < 0) throw notALeaf(option, path)
  return index
}
