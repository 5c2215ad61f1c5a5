import type { Appended, OffsetRange, SectionHeader, Wal, WalOptions, WalWriter } from '@moulin/core'

/**
 * A Wal that says of some records that they belong to aborted transactions: always of the same ones, however often it is asked. So it
 * need not store them, and the Wal below, which may not be able to, hears nothing of them.
 */
export function abortingWal(inner: Wal, isAborted: (partition: number, offset: bigint) => boolean): Wal {
  const marked = (header: SectionHeader): SectionHeader => {
    const aborted = rangesOf(header.baseOffset, header.lastOffset, (offset) => isAborted(header.partition, offset))
    return aborted.length === 0 ? header : { ...header, aborted }
  }
  const telling = <T extends WalOptions>(options: T): T => ({
    ...options,
    recover: (header, at) => options.recover(marked(header), at),
  })
  return {
    name: `aborting ${inner.name}`,
    durability: inner.durability,
    offsets: inner.offsets,
    openReader: (options) => inner.openReader(telling(options)),
    openWriter: async (options) =>
      writerThat(await inner.openWriter(telling(options)), (section, appended) => {
        const { aborted } = marked({ ...section, ...appended })
        return aborted === undefined ? appended : { ...appended, aborted }
      }),
  }
}

function writerThat(
  writer: WalWriter,
  answer: (section: Parameters<WalWriter['append']>[0], appended: Appended) => Appended,
): WalWriter {
  return {
    get epoch() {
      return writer.epoch
    },
    get rejections() {
      return writer.rejections
    },
    get failing() {
      return writer.failing
    },
    append: async ({ aborted: _, ...section }) => answer(section, await writer.append(section)),
    read: (...call) => writer.read(...call),
    release: (...call) => writer.release(...call),
    usage: () => writer.usage(),
    close: () => writer.close(),
    checkFence: () => writer.checkFence(),
    sparse: (share) => writer.sparse(share),
    space: () => writer.space(),
  }
}

/** Of `[first, last]`, both inclusive, what passes, as ranges. */
export function rangesOf(first: bigint, last: bigint, passes: (offset: bigint) => boolean): OffsetRange[] {
  const ranges: { from: bigint; to: bigint }[] = []
  for (let offset = first; offset <= last; offset++) {
    if (!passes(offset)) continue
    const open = ranges.at(-1)
    if (open?.to === offset) open.to = offset + 1n
    else ranges.push({ from: offset, to: offset + 1n })
  }
  return ranges
}
