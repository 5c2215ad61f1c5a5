import { invalid } from './errors.ts'

declare const column: unique symbol

/**
 * One field of a table's partition spec (Iceberg spec, "Partition transforms"). Has nothing to do with the log's
 * partitions. `C` is the column's name, checked against the schema by the compiler.
 */
export interface PartitionFieldOf<C extends string = string> {
  readonly source: string
  /** As Iceberg writes it: `identity`, `bucket[16]`, `truncate[4]`, `year`, `month`, `day`, `hour`, `void`. */
  readonly transform: string
  /** Name of the field; default `<column>_<transform>`, the column's own name for the value as it is. */
  readonly name: string
  readonly [column]?: C
}

type Make = <C extends string>(column: C) => PartitionFieldOf<C>

const named =
  (transform: string, suffix: string): Make =>
  (source) => ({ source, transform, name: source + suffix })

/** The value as it is: Iceberg's `identity`. */
export const byValue: Make = named('identity', '')
/** Years since 1970 of a date or timestamp. */
export const year: Make = named('year', '_year')
export const month: Make = named('month', '_month')
export const day: Make = named('day', '_day')
export const hour: Make = named('hour', '_hour')
/** Always null: what a dropped field becomes; Iceberg's `void`. */
export const alwaysNull: Make = named('void', '_null')

/** Hash of the value modulo `buckets`. */
export function bucket<C extends string>(buckets: number, source: C): PartitionFieldOf<C> {
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > 0x7fffffff) {
    throw invalid(
      'PARTITION_SPEC',
      `bucket(${buckets}) of ${source}: the number of buckets must be an integer of at least 1.`,
    )
  }
  return { source, transform: `bucket[${buckets}]`, name: `${source}_bucket` }
}

/** The first `width` characters or bytes, or the number rounded down to a multiple of `width`. */
export function truncate<C extends string>(width: number, source: C): PartitionFieldOf<C> {
  if (!Number.isInteger(width) || width < 1 || width > 0x7fffffff) {
    throw invalid('PARTITION_SPEC', `truncate(${width}) of ${source}: the width must be an integer of at least 1.`)
  }
  return { source, transform: `truncate[${width}]`, name: `${source}_trunc` }
}
