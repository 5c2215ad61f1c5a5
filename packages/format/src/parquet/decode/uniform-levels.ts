import type { CheckedPage } from './check-pages.ts'

/**
 * The one definition level of all slots of a list column when no row has a second slot, or undefined when that does not
 * show at once. Headers are mostly empty lists: told by two runs in place of an array a row.
 *
 * Spec: parquet-format, "Run Length Encoding / Bit-Packing Hybrid".
 */
export function uniformLevel(pages: readonly CheckedPage[]): number | undefined {
  let level: number | undefined
  for (const { values, repetitionLevels, definitionLevels } of pages) {
    if (values === 0) continue
    if (singleRun(repetitionLevels, values) !== 0) return undefined
    const definition = singleRun(definitionLevels, values)
    if (definition === undefined || (level !== undefined && level !== definition)) return undefined
    level = definition
  }
  return level
}

/** The value of a run that covers exactly `count` levels of at most 8 bits and is all there is. */
function singleRun(bytes: Uint8Array | undefined, count: number): number | undefined {
  if (bytes === undefined || bytes.length < 2) return undefined
  let header = 0
  let position = 0
  for (let scale = 1; position < bytes.length - 1; scale *= 128) {
    const byte = bytes[position++]!
    header += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  return header === count * 2 && position === bytes.length - 1 ? bytes[position] : undefined
}
