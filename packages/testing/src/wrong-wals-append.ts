import { systemRuntime } from '@moulin/core'
import type { Appended, Section, WalWriter } from '@moulin/core'
import { batchesIn, patchBatch } from '@moulin/format'
import { placeOf, wrongWal } from './wrong-wal.ts'
import type { WrongWal } from './wrong-wal.ts'

const LARGE_BYTES = 20_000

/** The ack with something else in it. */
const otherAck =
  (change: (ack: Appended, section: Section) => Appended) =>
  (writer: WalWriter): Partial<WalWriter> => ({
    append: async (section) => change(await writer.append(section), section),
  })

/** Wals whose sections, or acks, are not what they were. */
export const wrongAppends: readonly WrongWal[] = [
  wrongWal(
    { name: 'flips a byte of a large section', breaks: 'gives back the bytes of a section, whatever its size' },
    () => ({
      writer: (writer) => ({
        async read(location, options) {
          const bytes = await writer.read(location, options)
          if (bytes.length > 100_000) bytes[bytes.length - 5]! ^= 1
          return bytes
        },
      }),
    }),
  ),
  wrongWal({ name: 'gives everybody the same bytes', breaks: 'gives bytes that are the reader’s own' }, () => {
    const kept = new Map<string, Uint8Array>()
    return {
      writer: (writer) => ({
        async read(location, options) {
          const bytes = kept.get(placeOf(location)) ?? (await writer.read(location, options))
          kept.set(placeOf(location), bytes)
          return bytes
        },
      }),
    }
  }),
  wrongWal(
    {
      name: 'counts the last offset exclusively',
      breaks: 'says in the ack which offsets a section has: dense, in the order of the calls',
    },
    () => ({ writer: otherAck((ack) => ({ ...ack, lastOffset: ack.lastOffset + 1n })) }),
  ),
  wrongWal(
    {
      name: 'leaves a hole in the offsets of a partition',
      breaks: 'says in the ack which offsets a section has: dense, in the order of the calls',
    },
    () => {
      let acks = 0
      return {
        writer: otherAck((ack, { partition }) => {
          const hole = partition === 2 && ++acks > 3 ? 1n : 0n
          return { ...ack, baseOffset: ack.baseOffset + hole, lastOffset: ack.lastOffset + hole }
        }),
      }
    },
  ),
  wrongWal(
    {
      name: 'gives two sections the same offset',
      breaks: 'says in the ack which offsets a section has: dense, in the order of the calls',
    },
    () => {
      let last: Appended | undefined
      return {
        writer: otherAck((ack, { topicId, partition }) => {
          const repeated = partition === 1 && topicId.startsWith('9') ? last : undefined
          if (partition === 1 && topicId.startsWith('9')) last = ack
          return repeated === undefined
            ? ack
            : { ...ack, baseOffset: repeated.baseOffset, lastOffset: repeated.lastOffset }
        }),
      }
    },
  ),
  wrongWal(
    {
      name: 'puts offsets into the first batch only',
      breaks: 'puts the offsets that it assigned into the batches that it gives back',
      offsets: 'assigned',
    },
    () => ({
      writer: (writer) => ({
        async read(location, options) {
          const bytes = await writer.read(location, options)
          for (const { position } of [...batchesIn(bytes)].slice(1)) patchBatch(bytes, position, { baseOffset: 0n })
          return bytes
        },
      }),
    }),
  ),
  wrongWal(
    {
      name: 'begins every partition at 0',
      breaks: 'assigns a partition its first offset as the log says',
      offsets: 'assigned',
    },
    () => ({
      openWriter(options, wal) {
        let told = 0
        return wal.openWriter({
          ...options,
          recover(header, at) {
            told++
            options.recover(header, at)
          },
          nextOffset: (...life) => (told > 0 ? options.nextOffset(...life) : 0n),
        })
      },
    }),
  ),
  wrongWal({ name: 'acks small sections before large ones', breaks: 'acks in the order of the calls' }, () => ({
    writer: (writer) => ({
      async append(section) {
        const ack = await writer.append(section)
        const { timers } = systemRuntime()
        if (section.batches.length > LARGE_BYTES) for (let turn = 0; turn < 3; turn++) await timers.turn()
        return ack
      },
    }),
  })),
  wrongWal(
    {
      name: 'acks at no level',
      breaks: 'says in the ack what it survives: no less than the Wal promises',
    },
    () => ({ writer: otherAck((ack) => ({ ...ack, durability: 'hope' as never })) }),
  ),
  wrongWal(
    { name: 'uses the bytes that it was given as its own', breaks: 'leaves the bytes that it is given alone' },
    () => ({
      writer: otherAck((ack, { batches }) => {
        batches.fill(0)
        return ack
      }),
    }),
  ),
  wrongWal({ name: 'reads though the signal has fired', breaks: 'gives a read up whose signal has fired' }, () => ({
    writer: (writer) => ({ read: (location) => writer.read(location) }),
  })),
]
