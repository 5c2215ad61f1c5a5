import { closed, unsupported } from '@moulin/core'
import type { Section, SectionHeader, WalLocation } from '@moulin/core'
import { Ends, headerOf, keyOf, placeOf, wrongWal } from './wrong-wal.ts'
import type { WrongWal } from './wrong-wal.ts'

const KEEPS_ABORTED = 'keeps which records of a section are aborted, or refuses the section, and never drops them'

/** Wals that find other things than were left, and writers that come together. */
export const wrongRecoveries: readonly WrongWal[] = [
  wrongWal(
    { name: 'acks before it is durable', breaks: 'keeps what it acked, whatever happens right after the ack' },
    () => {
      // What no reader has made durable is gone with the crash.
      let session = new Set<string>()
      let lost = new Set<string>()
      return {
        writer: (writer) => ({
          async append(section) {
            const ack = await writer.append(section)
            session.add(keyOf(section, ack.baseOffset))
            return ack
          },
        }),
        openWriter(options, wal) {
          const gone = lost
          lost = new Set()
          session = new Set()
          const isLive = (header: SectionHeader): boolean =>
            !gone.has(keyOf(header, header.baseOffset)) && options.isLive(header)
          return wal.openWriter({ ...options, isLive })
        },
        openReader: (options, wal) =>
          wal.openReader({
            ...options,
            recover(header, at) {
              session.delete(keyOf(header, header.baseOffset))
              options.recover(header, at)
            },
          }),
        crashed() {
          lost = session
        },
      }
    },
  ),
  wrongWal({ name: 'keeps a torn tail', breaks: 'gives nobody a section that was not stored whole' }, () => {
    const open = new Set<Section>()
    let isCrashed = false
    const torn = new Map<string, Uint8Array>()
    return {
      writer: (writer) => ({
        append(section) {
          open.add(section)
          return writer.append(section).finally(() => open.delete(section))
        },
        read: async (location, options) => torn.get(placeOf(location)) ?? writer.read(location, options),
      }),
      async openWriter(options, wal) {
        const ends = new Ends()
        const recover = ends.telling(options.recover)
        const writer = await wal.openWriter({ ...options, recover })
        const [section] = isCrashed ? [...open].filter((one) => isNext(one, ends)) : []
        isCrashed = false
        open.clear()
        if (section !== undefined) {
          const at = { segment: `torn-${torn.size}`, position: 0, sizeBytes: section.batches.length }
          torn.set(placeOf(at), section.batches.slice(0, section.batches.length / 2))
          options.recover(headerOf(section, ends.of(section)), at)
        }
        return writer
      },
      crashed() {
        isCrashed = true
      },
    }
  }),
  wrongWal(
    {
      name: 'finds the first partition only',
      breaks: 'tells the next writer all that is live, of every topic, incarnation and partition',
    },
    () => ({
      openWriter: (options, wal) =>
        wal.openWriter({
          ...options,
          recover: (header, at) => (header.partition === 0 ? options.recover(header, at) : undefined),
        }),
    }),
  ),
  wrongWal(
    {
      name: 'tells the newest section first',
      breaks: 'tells the sections of a partition in the order of their offsets, without a gap',
    },
    () => ({
      async openWriter(options, wal) {
        const told: [SectionHeader, WalLocation][] = []
        const writer = await wal.openWriter({ ...options, recover: (header, at) => void told.push([header, at]) })
        for (const [header, at] of told.reverse()) options.recover(header, at)
        return writer
      },
    }),
  ),
  wrongWal(
    {
      name: 'forgets the schema of the keys',
      breaks: 'keeps the facts of a section: schemas, records, time of append',
    },
    () => ({
      openWriter: (options, wal) =>
        wal.openWriter({
          ...options,
          recover: (header, at) => options.recover({ ...header, keySchemaId: 0 }, at),
        }),
    }),
  ),
  wrongWal(
    {
      name: 'tells a reader no schemas',
      breaks: 'keeps the facts of a section: schemas, records, time of append',
    },
    () => ({
      openReader: (options, wal) =>
        wal.openReader({
          ...options,
          recover: (header, at) => options.recover({ ...header, valueSchemaId: 0, keySchemaId: 0 }, at),
        }),
    }),
  ),
  wrongWal(
    {
      name: 'says that a section was appended when it was recovered',
      breaks: 'keeps the facts of a section: schemas, records, time of append',
    },
    () => ({
      openWriter: (options, wal) =>
        wal.openWriter({
          ...options,
          recover: (header, at) => options.recover({ ...header, appendedMs: options.runtime.clock.now() }, at),
        }),
    }),
  ),
  wrongWal(
    {
      name: 'reads the checkpoint before it fences',
      breaks: 'reads the checkpoint when the older writer is fenced, before it tells anything',
    },
    () => ({
      async openWriter(options, wal) {
        await options.beforeRecovery()
        return wal.openWriter({ ...options, beforeRecovery: async () => {} })
      },
    }),
  ),
  wrongWal({ name: 'gives released sections back', breaks: 'tells nothing that the log says is not live' }, () => ({
    openWriter: (options, wal) => wal.openWriter({ ...options, isLive: () => true }),
  })),
  wrongWal(
    {
      name: 'finds a moved section where it was',
      breaks: 'keeps a section that was appended again where it was appended last',
    },
    () => {
      const first = new Map<string, WalLocation>()
      const moved = new Map<string, WalLocation>()
      return {
        writer: (writer) => ({
          async append(section) {
            const ack = await writer.append(section)
            const key = keyOf(section, ack.baseOffset)
            const before = first.get(key)
            first.set(key, ack.location)
            if (before !== undefined && section.baseOffset !== undefined) moved.set(key, before)
            return ack
          },
        }),
        openWriter: (options, wal) =>
          wal.openWriter({
            ...options,
            recover: (header, at) => options.recover(header, moved.get(keyOf(header, header.baseOffset)) ?? at),
          }),
      }
    },
  ),
  wrongWal({ name: 'drops which records are aborted', breaks: KEEPS_ABORTED }, () => ({
    writer: (writer) => ({ append: ({ aborted: _, ...section }) => writer.append(section) }),
  })),
  wrongWal({ name: 'acks which records are aborted, and forgets it', breaks: KEEPS_ABORTED }, () => ({
    writer: (writer) => ({
      async append({ aborted, ...section }) {
        return { ...(await writer.append(section)), ...(aborted && { aborted }) }
      },
    }),
  })),
  wrongWal({ name: 'fails at a section that it refuses', breaks: KEEPS_ABORTED }, () => ({
    writer(writer) {
      let failed: Error | undefined
      return {
        async append(section) {
          if (failed !== undefined) throw closed('WAL_FAILED', 'It failed before.', { cause: failed })
          if (section.aborted === undefined) return writer.append(section)
          throw (failed = unsupported('ABORTED_RANGES', 'It has no place for aborted ranges.'))
        },
      }
    },
  })),
  wrongWal(
    {
      name: 'tells a reader nothing of aborted records',
      breaks: KEEPS_ABORTED,
      // It needs a Wal that stores them.
      offsets: 'assigned',
    },
    () => ({
      openReader: (options, wal) =>
        wal.openReader({ ...options, recover: ({ aborted: _, ...header }, at) => options.recover(header, at) }),
    }),
  ),
  wrongWal(
    {
      name: 'begins anew where it must exist',
      breaks: 'says that it is missing where the log has been written before',
    },
    () => ({ openWriter: (options, wal) => wal.openWriter({ ...options, mustExist: false }) }),
  ),
  wrongWal(
    {
      name: 'is of no log',
      breaks: 'says of which log its data is, where it can tell that before it is opened, and changes nothing by it',
    },
    () => ({ logId: async () => undefined }),
  ),
]

const isNext = (section: Section, ends: Ends): boolean =>
  section.baseOffset === undefined || section.baseOffset === ends.of(section)
