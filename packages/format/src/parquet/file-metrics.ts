import type { FieldMetrics, MetricValue } from './file-writer.ts'
import { mergeBounds } from './leaf-bounds.ts'
import type { Leaf } from './parquet-schema.ts'

/** One leaf in one row group. */
export interface LeafTotals {
  readonly sizeBytes: number
  readonly slotCount: number
  readonly valueCount: number
  readonly lower: MetricValue | undefined
  readonly upper: MetricValue | undefined
  /** Only of float and double. */
  readonly nanCount: number | undefined
  /** Only of uuid. */
  readonly topBits: number | undefined
}

/** What a manifest wants to know of a leaf. */
export function leafMetrics(leaf: Leaf, totals: LeafTotals): FieldMetrics {
  const { sizeBytes, slotCount, valueCount, lower, upper, nanCount, topBits } = totals
  return {
    sizeBytes,
    valueCount: slotCount,
    // An empty or null list is a slot without a value, too.
    nullCount: slotCount - valueCount,
    ...(nanCount === undefined ? {} : { nanCount }),
    ...(lower === undefined || upper === undefined || leaf.isRepeated ? {} : { lower, upper }),
    ...(topBits === undefined || leaf.isRepeated ? {} : { topBits }),
  }
}

/** Adds a row group's metrics to those of the file. */
export function addMetrics(metrics: Map<number, FieldMetrics>, { fieldId }: Leaf, added: FieldMetrics): void {
  const before = metrics.get(fieldId)
  metrics.set(fieldId, before === undefined ? added : mergedMetrics(before, added))
}

function mergedMetrics(a: FieldMetrics, b: FieldMetrics): FieldMetrics {
  return {
    sizeBytes: a.sizeBytes + b.sizeBytes,
    valueCount: a.valueCount + b.valueCount,
    nullCount: a.nullCount + b.nullCount,
    ...mergeBounds(a, b),
  }
}
