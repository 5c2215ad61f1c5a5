import { notFound, systemRuntime } from '@moulin/core'
import type { Appended, Section, WalLocation, WalWriter } from '@moulin/core'
import { batchesIn, patchBatch } from '@moulin/format'
import { placeOf, wrongWal } from './wrong-wal.ts'
import type { WrongWal } from './wrong-wal.ts'

const LARGE_BYTES = 20_000
const BY_LOCATION = 'knows a place by what its location says, and says it in numbers that a log can keep'

const spoilt = (bytes: Uint8Array): Uint8Array => bytes.with(-1, bytes.at(-1)! ^ 1)

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
  wrongWal(
    {
      name: 'keeps the checksum that it is given and not the bytes',
      breaks: 'stores a section whose checksum comes with it as it stores any other',
    },
    () => ({
      writer: (writer) => ({
        append: (section) => {
          const { batches, batchesCrc } = section
          return writer.append(batchesCrc === undefined ? section : { ...section, batches: spoilt(batches) })
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
  wrongWal({ name: 'reads into one buffer', breaks: 'gives bytes that are the reader’s own' }, () => {
    let buffer = new Uint8Array(0)
    return {
      writer: (writer) => ({
        async read(location, options) {
          const bytes = await writer.read(location, options)
          if (bytes.length > buffer.length) buffer = new Uint8Array(bytes.length)
          buffer.set(bytes)
          return buffer.subarray(0, bytes.length)
        },
      }),
    }
  }),
  wrongWal({ name: 'mixes up what is read at once', breaks: 'gives bytes that are the reader’s own' }, () => {
    let last = new Uint8Array(0)
    return {
      writer: (writer) => ({
        async read(location, options) {
          last = new Uint8Array(await writer.read(location, options))
          await systemRuntime().timers.turn()
          return new Uint8Array(last)
        },
      }),
    }
  }),
  wrongWal({ name: 'knows its locations by the object', breaks: BY_LOCATION }, () => {
    const given = new WeakSet<WalLocation>()
    return {
      writer: (writer) => ({
        async append(section) {
          const ack = await writer.append(section)
          given.add(ack.location)
          return ack
        },
        async read(location, options) {
          if (!given.has(location)) throw notFound('LOCATION', 'It has given no such location.')
          return writer.read(location, options)
        },
      }),
      openWriter: (options, wal) =>
        wal.openWriter({
          ...options,
          recover(header, at) {
            given.add(at)
            options.recover(header, at)
          },
        }),
    }
  }),
  wrongWal({ name: 'says places in fractions', breaks: BY_LOCATION }, () => ({
    writer: (writer) => {
      const less = ({ position, ...at }: WalLocation): WalLocation => ({ ...at, position: position - 0.5 })
      const more = ({ position, ...at }: WalLocation): WalLocation => ({ ...at, position: Math.ceil(position) })
      return {
        async append(section) {
          const ack = await writer.append(section)
          return { ...ack, location: less(ack.location) }
        },
        read: (location, options) => writer.read(more(location), options),
        release: (locations) => writer.release(locations.map(more)),
      }
    },
  })),
  wrongWal(
    {
      name: 'holds on to the memory that it was given',
      breaks: 'keeps what it was given, whatever becomes of that once it is acked',
    },
    () => {
      const held = new Map<string, { readonly batches: Uint8Array; readonly baseOffset: bigint }>()
      return {
        writer: (writer) => ({
          async append(section) {
            const ack = await writer.append(section)
            held.set(placeOf(ack.location), { batches: section.batches, baseOffset: ack.baseOffset })
            return ack
          },
          async read(location, options) {
            const stored = await writer.read(location, options)
            const one = held.get(placeOf(location))
            // As long as nobody has touched it, it is the same.
            return one === undefined || one.batches[0] !== 0xee ? stored : new Uint8Array(one.batches)
          },
        }),
      }
    },
  ),
  wrongWal(
    { name: 'counts offsets in floating point', breaks: 'keeps offsets that no floating-point number has' },
    () => ({
      openWriter: (options, wal) =>
        wal.openWriter({
          ...options,
          recover: ({ baseOffset, lastOffset, ...header }, at) =>
            options.recover(
              { ...header, baseOffset: BigInt(Number(baseOffset)), lastOffset: BigInt(Number(lastOffset)) },
              at,
            ),
        }),
    }),
  ),
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
          nextOffset(...life) {
            const next = options.nextOffset(...life)
            // Right of offsets that are large.
            return told > 0 || next > 2n ** 53n ? next : 0n
          },
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
