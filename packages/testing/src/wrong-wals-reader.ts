import { isKind, notFound, systemRuntime } from '@moulin/core'
import type { Section, SectionHeader, WalReader, WalWriter } from '@moulin/core'
import { derive, Ends, headerOf, keyOf, wrongWal } from './wrong-wal.ts'
import type { Tell, WrongWal } from './wrong-wal.ts'

/** Readers that see too much, too little, or change what they read. */
export const wrongReaders: readonly WrongWal[] = [
  wrongWal(
    {
      name: 'begins to read behind what the checkpoint proves',
      breaks: 'tells a reader all that was acked before it opened',
    },
    () => ({
      async openReader(options, wal) {
        let isOpen = false
        const recover: Tell = (header, at) =>
          isOpen || options.isAcked(header) ? options.recover(header, at) : undefined
        const reader = await wal.openReader({ ...options, recover })
        isOpen = true
        return reader
      },
    }),
  ),
  wrongWal(
    {
      name: 'returns from a refresh before it has looked',
      breaks: 'has told a reader, when a refresh returns, all that was acked at its call',
    },
    () => ({
      reader: (reader) => ({
        async refresh() {
          const { timers } = systemRuntime()
          void timers
            .turn()
            .then(() => reader.refresh())
            .catch(() => undefined)
        },
      }),
    }),
  ),
  wrongWal(
    {
      name: 'tells a reader what is new from the newest on',
      breaks: 'tells a reader the sections of a partition in the order of their offsets, without a gap',
    },
    () => ({
      async openReader(options, wal) {
        let isOpen = false
        let told: Parameters<Tell>[] = []
        const tellAll = (): void => {
          for (const one of told.reverse()) options.recover(...one)
          told = []
        }
        const recover: Tell = (header, at) => {
          if (!isOpen) return options.recover(header, at)
          if (told.push([header, at]) === 1) queueMicrotask(tellAll)
        }
        const reader = await wal.openReader({ ...options, recover })
        isOpen = true
        return reader
      },
    }),
  ),
  wrongWal(
    { name: 'follows nobody', breaks: 'tells a reader that follows by itself, and how each look ended' },
    () => ({ reader: () => ({ follow() {} }) }),
  ),
  wrongWal(
    { name: 'says nothing of its looks', breaks: 'tells a reader that follows by itself, and how each look ended' },
    () => ({ reader: (reader) => ({ follow: () => reader.follow(() => {}) }) }),
  ),
  wrongWal(
    { name: 'tells a reader what is not acked', breaks: 'tells a reader nothing that the next writer does not have' },
    () => {
      const open = new Set<Section>()
      const tells = new Map<WalReader, { readonly ends: Ends; readonly tell: Tell }>()
      return {
        writer: (writer) => ({
          append(section) {
            open.add(section)
            return writer.append(section).finally(() => open.delete(section))
          },
        }),
        async openReader(options, wal) {
          const ends = new Ends()
          const tell: Tell = (header, at) => {
            ends.add(header)
            for (const section of open) if (timeOf(section) === timeOf(header)) open.delete(section)
            options.recover(header, at)
          }
          const reader = await wal.openReader({ ...options, recover: tell })
          tells.set(reader, { ends, tell })
          return reader
        },
        reader: (reader) => ({
          refresh() {
            const { ends, tell } = tells.get(reader)!
            for (const section of open) {
              const header = headerOf(section, ends.of(section))
              const at = { segment: 'not-acked', position: 0, sizeBytes: section.batches.length }
              if (header.baseOffset === ends.of(section)) tell(header, at)
            }
            return reader.refresh()
          },
        }),
      }
    },
  ),
  wrongWal(
    {
      name: 'stays with the writer that it began with',
      breaks: 'goes on telling a reader when another writer has taken over',
    },
    () => {
      let writers = 0
      const appendedBy = new Map<string, number>()
      return {
        writer(writer) {
          const number = ++writers
          return {
            append(section) {
              // Whoever comes first tells whose it is: offsets are the same for given and assigned ones in this check.
              const done = writer.append(section)
              appendedBy.set(timeOf(section), number)
              return done
            },
          }
        },
        openReader(options, wal) {
          const last = writers
          const recover: Tell = (header, at) =>
            (appendedBy.get(timeOf(header)) ?? 0) > last ? undefined : options.recover(header, at)
          return wal.openReader({ ...options, recover })
        },
      }
    },
  ),
  wrongWal(
    {
      name: 'does not tell a reader what has moved',
      breaks: 'lets a reader read all that it was told, wherever it lies after a change of writers',
      // Nothing moves in memoryWal.
      offsets: 'given',
    },
    () => ({
      openReader(options, wal) {
        const known = new Set<string>()
        const recover: Tell = (header, at) => {
          const key = keyOf(header, header.baseOffset)
          if (!known.has(key)) options.recover(header, at)
          known.add(key)
        }
        return wal.openReader({ ...options, recover })
      },
    }),
  ),
  wrongWal(
    {
      name: 'reads the checkpoint once for a reader',
      breaks: 'reads the checkpoint for a reader at each change of writers',
    },
    () => ({
      openReader(options, wal) {
        let read: Promise<void> | undefined
        return wal.openReader({ ...options, beforeRecovery: () => (read ??= options.beforeRecovery()) })
      },
    }),
  ),
  wrongWal(
    {
      name: 'tells a reader what a fenced writer had under way',
      breaks:
        'tells a reader, while a newer writer opens, what the checkpoint proves, and nothing that this one will not have',
      // In fileWal the newer writer has it, too.
      offsets: 'assigned',
    },
    () => {
      const fenced: Section[] = []
      const tells = new Map<WalReader, { readonly ends: Ends; readonly tell: Tell }>()
      return {
        writer: (writer) => ({
          append: (section) =>
            writer.append(section).catch((error: unknown) => {
              if (isKind(error, 'fenced')) fenced.push(section)
              throw error
            }),
        }),
        async openReader(options, wal) {
          const ends = new Ends()
          const tell = ends.telling(options.recover)
          const reader = await wal.openReader({ ...options, recover: tell })
          tells.set(reader, { ends, tell })
          return reader
        },
        reader: (reader) => ({
          async refresh() {
            await reader.refresh()
            const { ends, tell } = tells.get(reader)!
            for (const section of fenced) {
              const at = { segment: 'fenced', position: 0, sizeBytes: section.batches.length }
              tell(headerOf(section, ends.of(section)), at)
            }
          },
        }),
      }
    },
  ),
  wrongWal(
    {
      name: 'tells a new reader nothing while a newer writer opens',
      breaks:
        'tells a reader, while a newer writer opens, what the checkpoint proves, and nothing that this one will not have',
    },
    () => {
      let opening = 0
      return {
        async openWriter(options, wal) {
          opening++
          return wal.openWriter(options).finally(() => opening--)
        },
        async openReader(options, wal) {
          let isOpen = opening === 0
          const recover: Tell = (header, at) => (isOpen ? options.recover(header, at) : undefined)
          const reader = await wal.openReader({ ...options, recover })
          isOpen = true
          return reader
        },
      }
    },
  ),
  wrongWal({ name: 'takes over when its reader closes', breaks: 'lets a reader fence nobody' }, () => ({
    async openReader(options, wal) {
      const reader = await wal.openReader(options)
      const { runtime, limits, logId, store } = options
      return derive(reader, {
        async close() {
          await reader.close()
          const quiet = { beforeRecovery: async () => {}, isLive: () => true, recover: () => {} }
          const log = { runtime, limits, logId, store, ...quiet }
          const writer = await wal.openWriter({ ...log, takeover: 'newest', mustExist: false, nextOffset: () => 0n })
          await writer.close()
        },
      })
    },
  })),
  wrongWal(
    { name: 'frees what a reader releases', breaks: 'lets a reader free nothing: what it releases it forgets' },
    () => {
      let last: WalWriter | undefined
      return {
        writer(writer) {
          last = writer
          return {}
        },
        reader: (reader) => ({
          async release(locations) {
            await last?.release(locations)
            await reader.release(locations)
          },
        }),
      }
    },
  ),
  wrongWal({ name: 'goes on telling after its close', breaks: 'tells a reader nothing once it has closed' }, () => ({
    reader: () => ({ async close() {} }),
  })),
  wrongWal(
    {
      name: 'closes in the middle of a look, and goes on with it',
      breaks: 'tells a reader nothing once it has closed',
    },
    () => ({
      reader(reader) {
        let look = Promise.resolve()
        return {
          refresh() {
            const own = reader.refresh()
            look = own.catch(() => undefined)
            return own
          },
          async close() {
            void look.then(() => reader.close())
          },
        }
      },
    }),
  ),
  wrongWal(
    { name: 'tells a reader what is released', breaks: 'tells a reader nothing that the log says is not live' },
    () => ({ openReader: (options, wal) => wal.openReader({ ...options, isLive: () => true }) }),
  ),
  wrongWal(
    { name: 'opens a reader of nothing', breaks: 'says that it is missing to a reader where no writer has been' },
    () => ({
      openReader: (options, wal) =>
        wal.openReader(options).catch((error: unknown) => {
          if (!isKind(error, 'not-found')) throw error
          return nothing
        }),
    }),
  ),
]

const timeOf = (section: Pick<SectionHeader, 'topicId' | 'partition' | 'appendedMs'>): string =>
  keyOf({ ...section, incarnation: 0 }, BigInt(section.appendedMs))

const nothing: WalReader = {
  epoch: 0n,
  read: () => Promise.reject(notFound('RELEASED', 'Nothing is here.')),
  release: async () => {},
  usage: () => ({ liveBytes: 0, heldBytes: 0, segments: 0, liveSegments: 0, bufferBytes: 0 }),
  follow() {},
  refresh: async () => {},
  close: async () => {},
}
