import { isKind } from '@moulin/core'
import { expectBytes, expectEqual, expectTrue } from './assertions.ts'
import type { WalCheck } from './wal-checks.ts'
import type { Sent } from './wal-trial.ts'
import { expectTold, keptOf, range, toldOf } from './wal-told.ts'

const locationOf = ({ ack }: Sent): NonNullable<Sent['ack']>['location'] => ack!.location

/** What is not needed any more, and what is. */
export const releaseChecks: readonly WalCheck[] = [
  {
    name: 'keeps every section that was not released, whatever is released around it',
    async run(trial) {
      const writer = await trial.openWriter()
      const kept: Sent[] = []
      for (const round of range(0, 8)) {
        const sent = await writer.writeAll(range(round * 20, round * 20 + 20), { records: 1, valueBytes: 5_000 })
        const released = sent.filter((_one, i) => i % 5 !== 2)
        kept.push(...sent.filter((one) => !released.includes(one)))
        await trial.settled(writer.writer.release(released.map(locationOf)))
        for (const one of kept) {
          const bytes = await trial.settled(writer.writer.read(locationOf(one)))
          expectBytes(bytes, one.bytes, `the section at ${one.header.baseOffset}, not released`)
        }
      }
      await writer.close()
      const isLive = ({ baseOffset }: { readonly baseOffset: bigint }): boolean =>
        kept.some(({ header }) => header.baseOffset === baseOffset)
      const next = await trial.openWriter(undefined, { isLive })
      await expectTold(trial, { session: next.writer, told: next.told }, kept, 'the next writer')
    },
  },
  {
    name: 'never reads anything but the very bytes, or not-found, where a section was released',
    async run(trial) {
      const writer = await trial.openWriter()
      const released: Sent[] = []
      for (const round of range(0, 6)) {
        const sent = await writer.writeAll(range(round * 30, round * 30 + 30), { records: 1, valueBytes: 5_000 })
        released.push(...sent.slice(0, -1))
        await trial.settled(writer.writer.release(sent.slice(0, -1).map(locationOf)))
        for (const one of released) {
          const found = await trial.settled(writer.writer.read(locationOf(one)).catch((error: Error) => error))
          if (found instanceof Error) expectTrue(isKind(found, 'not-found'), `released is not-found, not ${found}`)
          else expectBytes(found, one.bytes, `the section at ${one.header.baseOffset}, released`)
        }
      }
    },
  },
  {
    name: 'frees the storage of what is released, so that it does not grow',
    async run(trial) {
      const writer = await trial.openWriter()
      const held: number[] = []
      let last: readonly Sent[] = []
      for (const round of range(0, 12)) {
        const sent = await writer.writeAll(range(round * 20, round * 20 + 20), { records: 1, valueBytes: 6_000 })
        await trial.settled(writer.writer.release(last.map(locationOf)))
        last = sent
        const { heldBytes, liveBytes, segments, liveSegments } = writer.writer.usage()
        expectTrue(liveSegments <= segments, `${liveSegments} live segments of ${segments}`)
        expectTrue(liveBytes > 0 && heldBytes >= liveBytes, `${heldBytes} bytes held by ${liveBytes} live ones`)
        held.push(heldBytes)
      }
      // By turns the end lies elsewhere in a segment: four rounds tell enough.
      const most = (counts: readonly number[]): number => Math.max(...counts)
      const [early, late] = [most(held.slice(2, 6)), most(held.slice(-4))]
      expectTrue(late <= early * 1.5, `bytes held do not grow: ${early} early, ${late} late`)
    },
  },
  {
    name: 'counts as live what was told or appended, and not released',
    async run(trial) {
      const first = await trial.openWriter()
      const sent = await first.writeAll(range(0, 10))
      const bytesOf = (of: readonly Sent[]): number => of.reduce((sum, one) => sum + locationOf(one).sizeBytes, 0)
      expectEqual(first.writer.usage().liveBytes, bytesOf(sent), 'live bytes')
      await trial.settled(first.writer.release(sent.slice(0, 4).map((one) => keptOf(locationOf(one)))))
      expectEqual(first.writer.usage().liveBytes, bytesOf(sent.slice(4)), 'live bytes after a release')
      await first.close()
      const second = await trial.openWriter()
      const told = second.told.filter((one) => toldOf(second.told, one) === one).map(({ at }) => at)
      const toldBytes = told.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      expectEqual(second.writer.usage().liveBytes, toldBytes, 'live bytes of the next writer')
      await trial.settled(second.writer.release(told))
      expectEqual(second.writer.usage().liveBytes, 0, 'live bytes when all is released')
    },
  },
  {
    name: 'names as sparse what lives little, least first, and nothing else',
    async run(trial) {
      const writer = await trial.openWriter()
      const sent = await writer.writeAll(range(0, 80), { records: 1, valueBytes: 5_000 })
      // In the first half two of nine are left, in the second half all.
      const released = sent.slice(0, 40).filter((_one, i) => i % 9 !== 4 && i % 9 !== 5)
      await trial.settled(writer.writer.release(released.map(locationOf)))
      const named = writer.writer.sparse(0.5)
      const bytesIn = (segment: string, of: readonly Sent[]): number =>
        of.reduce((sum, one) => sum + (locationOf(one).segment === segment ? locationOf(one).sizeBytes : 0), 0)
      const live = sent.filter((one) => !released.includes(one))
      expectTrue(named.length > 0, 'something is sparse')
      for (const segment of named) {
        const [all, left] = [bytesIn(segment, sent), bytesIn(segment, live)]
        expectTrue(left > 0 && left <= all / 2, `${segment} is sparse: ${left} bytes of ${all} live`)
      }
      const lives = named.map((segment) => bytesIn(segment, live))
      const sorted = [...lives].sort((a, b) => a - b)
      expectEqual(lives, sorted, 'live bytes of what is sparse')
    },
  },
]
