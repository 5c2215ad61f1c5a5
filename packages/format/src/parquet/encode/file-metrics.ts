import type { FieldMetrics } from '../file-writer.ts'
import { mergeBounds } from '../leaf-bounds.ts'
import type { WrittenChunk } from './column-chunk.ts'
import { isFraction } from './footer-writer.ts'

/** Adds a row group's chunk to what a manifest wants to know of its leaf. */
export function addMetrics(metrics: Map<number, FieldMetrics>, chunk: WrittenChunk): void {
  const { leaf, bounds, slotCount, valueCount, compressedBytes } = chunk
  const { lower, upper } = bounds
  const added: FieldMetrics = {
    sizeBytes: compressedBytes,
    valueCount: slotCount,
    // An empty or null list is a slot without a value, too.
    nullCount: slotCount - valueCount,
    ...(isFraction(chunk) ? { nanCount: bounds.nanCount } : {}),
    ...(lower === undefined || upper === undefined || leaf.isRepeated ? {} : { lower, upper }),
  }
  const before = metrics.get(leaf.fieldId)
  metrics.set(leaf.fieldId, before === undefined ? added : mergedMetrics(before, added))
}

function mergedMetrics(a: FieldMetrics, b: FieldMetrics): FieldMetrics {
  return {
    sizeBytes: a.sizeBytes + b.sizeBytes,
    valueCount: a.valueCount + b.valueCount,
    nullCount: a.nullCount + b.nullCount,
    ...mergeBounds(a, b),
  }
}
