/** Reads that only a gap joins do not grow beyond this. */
const MAX_JOINED_BYTES = 16 * 1024 * 1024

/** Half-open bytes of an object. An `end` of Infinity is the object's. */
interface Span {
  readonly start: number
  readonly end: number
}

/** One read, and the spans that are cut out of it. */
export interface JoinedSpan<S extends Span> extends Span {
  readonly members: readonly S[]
}

/** As few reads as the gaps allow, by their start: what overlaps is one, and so is what lies no further apart than the gap. */
export function joinSpans<S extends Span>(spans: readonly S[], maxGapBytes: number): JoinedSpan<S>[] {
  const joined: { start: number; end: number; members: S[] }[] = []
  for (const span of spans.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const { start, end } = span
    const last = joined.at(-1)
    const overlaps = last !== undefined && start < last.end
    const isNear = last !== undefined && start <= last.end + maxGapBytes && end - last.start <= MAX_JOINED_BYTES
    if (last !== undefined && (overlaps || isNear)) {
      last.end = Math.max(last.end, end)
      last.members.push(span)
    } else joined.push({ start, end, members: [span] })
  }
  return joined
}
