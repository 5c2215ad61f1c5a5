import type { SectionHeader } from '@moulin/core'
import { partitionKey } from './life-partition.ts'

interface Found {
  readonly header: SectionHeader
}

/** Sections as recovery takes them. */
export interface OrderedSections<T> {
  /** Per partition in the order of offsets, each section once. */
  readonly ordered: readonly T[]
  /** The same sections at places that do not count any more. */
  readonly superseded: ReadonlySet<T>
}

/**
 * Puts the sections of each partition in the order of their offsets: one that was copied on stands behind later ones. Where one is
 * found twice, since its first place had not been freed yet, the last of `found` counts.
 */
export function orderSections<T extends Found>(found: readonly T[]): OrderedSections<T> {
  const byPartition = new Map<string, T[]>()
  for (const each of found) {
    const key = partitionKey(each.header)
    const list = byPartition.get(key)
    if (list === undefined) byPartition.set(key, [each])
    else list.push(each)
  }
  const ordered: T[] = []
  const superseded = new Set<T>()
  for (const list of byPartition.values()) {
    // A stable sort: those of the same offset stay in the order in which they were found.
    list.sort(({ header: a }, { header: b }) =>
      a.baseOffset < b.baseOffset ? -1 : a.baseOffset > b.baseOffset ? 1 : 0,
    )
    list.forEach((each, index) => {
      if (isSameSection(each, list[index + 1])) superseded.add(each)
      else ordered.push(each)
    })
  }
  return { ordered, superseded }
}

/** Of one partition. */
function isSameSection({ header: a }: Found, other: Found | undefined): boolean {
  return a.baseOffset === other?.header.baseOffset && a.lastOffset === other.header.lastOffset
}

/** Names a section of whichever partition, wherever it stands. */
export function sectionKey(header: SectionHeader): string {
  return `${partitionKey(header)}@${header.baseOffset}-${header.lastOffset}`
}
