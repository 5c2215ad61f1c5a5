import { closed, isKind, isLivedThrough, systemRuntime, withOutcome } from '@moulin/core'
import type { Section } from '@moulin/core'
import { Ends, headerOf, madeUpAck, placeOf, wrongWal } from './wrong-wal.ts'
import type { WrongWal } from './wrong-wal.ts'

const LARGE_BYTES = 100_000

/** Wals that end, or go on, when they should not. */
export const wrongFailures: readonly WrongWal[] = [
  wrongWal(
    {
      name: 'says unknown of what a full disk rejected',
      breaks: 'rejects what finds no room, and goes on: rejected, to be tried again',
    },
    () => ({
      writer: (writer) => ({
        append: (section) =>
          writer.append(section).catch((error: unknown) => {
            throw isLivedThrough(error) ? withOutcome(error, 'unknown', false) : error
          }),
      }),
    }),
  ),
  wrongWal(
    {
      name: 'takes nothing large any more once the disk was full',
      breaks: 'rejects what finds no room, and goes on: rejected, to be tried again',
    },
    () => ({
      writer(writer) {
        let wasFull = false
        return {
          async append(section) {
            if (wasFull && section.batches.length > LARGE_BYTES) throw closed('WAL_FAILED', 'It was full before.')
            return writer.append(section).catch((error: unknown) => {
              wasFull = isLivedThrough(error)
              throw error
            })
          },
        }
      },
    }),
  ),
  wrongWal(
    { name: 'counts a rejection some time later', breaks: 'counts a rejection before anybody hears of it' },
    () => ({
      writer(writer) {
        let { rejections } = writer
        const later = async (): Promise<void> => {
          const now = writer.rejections
          for (let turn = 0; turn < 3; turn++) await systemRuntime().timers.turn()
          rejections = now
        }
        return {
          get rejections() {
            return rejections
          },
          append: (section) =>
            writer.append(section).catch((error: unknown) => {
              void later()
              throw error
            }),
        }
      },
    }),
  ),
  wrongWal(
    { name: 'stores what it rejected', breaks: 'stores nothing of what it rejected: its offsets are given again' },
    () => {
      const stored: Section[] = []
      const kept = new Map<string, Uint8Array>()
      return {
        writer: (writer) => ({
          append: (section) =>
            writer.append(section).catch((error: unknown) => {
              if (isLivedThrough(error)) stored.push(section)
              throw error
            }),
          read: async (location, options) => kept.get(placeOf(location)) ?? writer.read(location, options),
        }),
        async openWriter(options, wal) {
          const ends = new Ends()
          const recover = ends.telling(options.recover)
          const writer = await wal.openWriter({ ...options, recover })
          for (const [i, section] of stored.entries()) {
            const at = { segment: 'rejected', position: i, sizeBytes: section.batches.length }
            kept.set(placeOf(at), section.batches)
            options.recover(headerOf(section, ends.of(section)), at)
          }
          return writer
        },
      }
    },
  ),
  wrongWal(
    {
      name: 'goes on after a failure',
      breaks: 'ends at a failure: what was under way is unknown, what follows is closed',
    },
    () => ({
      writer(writer) {
        let hasFailed = false
        return {
          append: (section) =>
            writer.append(section).catch((error: unknown) => {
              if (hasFailed) return madeUpAck(section)
              hasFailed = isKind(error, 'unavailable')
              throw error
            }),
        }
      },
    }),
  ),
  wrongWal(
    {
      name: 'says rejected of what a failure cut off',
      breaks: 'ends at a failure: what was under way is unknown, what follows is closed',
    },
    () => ({
      writer: (writer) => ({
        append: (section) =>
          writer.append(section).catch((error: unknown) => {
            throw isKind(error, 'unavailable') ? withOutcome(error, 'rejected') : error
          }),
      }),
    }),
  ),
  wrongWal(
    { name: 'closes over appends that are under way', breaks: 'waits at its close for the appends that were begun' },
    () => ({
      writer(writer) {
        let open = 0
        return {
          append(section) {
            open++
            return writer.append(section).finally(() => open--)
          },
          async close() {
            const closing = writer.close()
            if (open === 0) await closing
          },
        }
      },
    }),
  ),
  wrongWal({ name: 'takes appends after its close', breaks: 'is closed once, and takes nothing more' }, () => ({
    writer(writer) {
      let isClosed = false
      return {
        append: (section) => (isClosed ? Promise.resolve(madeUpAck(section)) : writer.append(section)),
        close() {
          isClosed = true
          return writer.close()
        },
      }
    },
  })),
]
