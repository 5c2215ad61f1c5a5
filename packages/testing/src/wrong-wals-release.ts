import type { WalLocation } from '@moulin/core'
import { placeOf, wrongWal } from './wrong-wal.ts'
import type { WrongWal } from './wrong-wal.ts'

/** Wals that free too much, too little, or read what is not there any more. */
export const wrongReleases: readonly WrongWal[] = [
  wrongWal(
    {
      name: 'frees what lies between two released sections',
      breaks: 'keeps every section that was not released, whatever is released around it',
    },
    () => ({
      writer(writer) {
        const places: WalLocation[] = []
        return {
          async append(section) {
            const ack = await writer.append(section)
            places.push(ack.location)
            return ack
          },
          release(locations) {
            const given = new Set(locations.map(placeOf))
            const isReleased = (at: WalLocation | undefined): boolean => at !== undefined && given.has(placeOf(at))
            const between = places.filter((_at, i) => isReleased(places[i - 1]) && isReleased(places[i + 1]))
            return writer.release([...locations, ...between.filter((at) => !isReleased(at))])
          },
        }
      },
    }),
  ),
  wrongWal(
    {
      name: 'reads whatever stands where a section was',
      breaks: 'never reads anything but the very bytes, or not-found, where a section was released',
    },
    () => ({
      writer(writer) {
        const released = new Set<string>()
        let last: WalLocation | undefined
        return {
          async append(section) {
            const ack = await writer.append(section)
            last = ack.location
            return ack
          },
          release(locations) {
            for (const at of locations) released.add(placeOf(at))
            return writer.release(locations)
          },
          read: (location, options) =>
            writer.read(released.has(placeOf(location)) && last !== undefined ? last : location, options),
        }
      },
    }),
  ),
  wrongWal(
    {
      name: 'frees all but the last of what is released, and says that it did',
      breaks: 'frees the storage of what is released, so that it does not grow',
    },
    () => ({
      writer(writer) {
        let keptBytes = 0
        return {
          release(locations) {
            keptBytes += locations.at(-1)?.sizeBytes ?? 0
            return writer.release(locations.slice(0, -1))
          },
          usage() {
            const usage = writer.usage()
            return { ...usage, liveBytes: usage.liveBytes - keptBytes }
          },
        }
      },
    }),
  ),
  wrongWal(
    {
      name: 'counts what it holds a little short',
      breaks: 'counts as live what was told or appended, and not released',
    },
    () => ({
      writer: (writer) => ({
        usage() {
          const usage = writer.usage()
          return { ...usage, liveBytes: usage.liveBytes - 1 }
        },
      }),
    }),
  ),
  wrongWal(
    {
      name: 'names everything sparse',
      breaks: 'names as sparse what lives little, least first, and nothing else',
    },
    () => ({ writer: (writer) => ({ sparse: () => writer.sparse(1) }) }),
  ),
  wrongWal(
    {
      name: 'names nothing sparse',
      breaks: 'names as sparse what lives little, least first, and nothing else',
    },
    () => ({ writer: () => ({ sparse: () => [] }) }),
  ),
]
