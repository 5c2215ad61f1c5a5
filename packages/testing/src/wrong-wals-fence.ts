import { conflict, isKind } from '@moulin/core'
import type { WalSession } from '@moulin/core'
import { madeUpAck, wrongWal } from './wrong-wal.ts'
import type { WrongWal } from './wrong-wal.ts'

const everySecond = <S extends WalSession>(session: S): Partial<S> =>
  ({
    get epoch() {
      return (session.epoch + 1n) / 2n
    },
  }) as Partial<S>

/** Writers that do not know of each other. */
export const wrongFences: readonly WrongWal[] = [
  wrongWal(
    {
      name: 'acks again after it has said that it is fenced',
      breaks: 'tells a fenced writer so at its next append, and acks nothing of it any more',
    },
    () => ({
      writer(writer) {
        let isFenced = false
        return {
          append(section) {
            const wasFenced = isFenced
            return writer.append(section).catch((error: unknown) => {
              if (wasFenced) return madeUpAck(section)
              isFenced ||= isKind(error, 'fenced')
              throw error
            })
          },
        }
      },
    }),
  ),
  wrongWal(
    {
      name: 'does not say that it is fenced',
      breaks: 'tells a fenced writer so at its next append, and acks nothing of it any more',
    },
    () => ({
      writer: (writer) => ({
        append: (section) =>
          writer.append(section).catch((error: unknown) => {
            throw isKind(error, 'fenced') ? conflict('EPOCH', 'Another epoch is there.') : error
          }),
      }),
    }),
  ),
  wrongWal(
    {
      name: 'looks for a newer writer before it writes, not after',
      breaks: 'acks nothing that was under way when a newer writer came and did not find it',
    },
    () => ({
      writer: (writer) => ({
        async append(section) {
          const [fence, appended] = await Promise.allSettled([writer.checkFence(), writer.append(section)])
          if (fence.status === 'rejected') throw fence.reason
          if (appended.status === 'fulfilled') return appended.value
          if (isKind(appended.reason, 'fenced')) return madeUpAck(section)
          throw appended.reason
        },
      }),
    }),
  ),
  wrongWal(
    { name: 'is never fenced when it is asked', breaks: 'says fenced when it is asked, once there is a newer writer' },
    () => ({ writer: () => ({ checkFence: async () => {} }) }),
  ),
  wrongWal(
    {
      name: 'fences whoever runs',
      breaks: 'refuses a second writer while the first one runs, where it is to refuse',
    },
    () => ({ openWriter: (options, wal) => wal.openWriter({ ...options, takeover: 'newest' }) }),
  ),
  wrongWal(
    {
      name: 'closes without giving up',
      breaks: 'lets the next writer in at once when the one before has closed, though its process runs',
    },
    () => {
      let isHeld = false
      return {
        writer: (writer) => ({
          async close() {
            await writer.close()
            isHeld = true
          },
        }),
        async openWriter(options, wal) {
          if (isHeld && options.takeover === 'refuse') throw conflict('WRITER_ALIVE', 'Somebody writes here.')
          return wal.openWriter(options)
        },
      }
    },
  ),
  wrongWal(
    {
      name: 'gives two writers one epoch',
      breaks: 'gives each writer a higher epoch than all before it, however many open at once',
    },
    () => ({ writer: everySecond, reader: everySecond }),
  ),
  wrongWal(
    {
      name: 'opens though its signal has fired',
      breaks: 'opens for nobody whose signal has fired, and leaves the writer alone',
    },
    () => ({ openWriter: ({ signal: _, ...options }, wal) => wal.openWriter(options) }),
  ),
]
