import type {
  Appended,
  SectionHeader,
  Section,
  Wal,
  WalLocation,
  WalReader,
  WalReaderOptions,
  WalWriter,
  WalWriterOptions,
} from '@moulin/core'
import type { WalPlace } from './wal-place.ts'

/** A Wal that is wrong in one way, made from a right one, and the check that must reject it. No other check does. */
export interface WrongWal {
  readonly name: string
  /** Name of the check in `walChecks`. */
  readonly breaks: string
  /** Can be made from a Wal of such offsets only. */
  readonly offsets?: Wal['offsets']
  /** The place with Wals that are wrong. */
  wrap(place: WalPlace): WalPlace
}

/** What is done otherwise; the rest is the right Wal's. */
export interface WalFlaw {
  writer?(writer: WalWriter, options: WalWriterOptions): Partial<WalWriter>
  reader?(reader: WalReader, options: WalReaderOptions): Partial<WalReader>
  openWriter?(options: WalWriterOptions, wal: Wal): Promise<WalWriter>
  openReader?(options: WalReaderOptions, wal: Wal): Promise<WalReader>
  crashed?(): void
  /** As {@link Wal.logId}; left out: as the right Wal's. */
  logId?(wal: Wal): Promise<string | undefined>
}

/** A flaw is made anew for each place, and is that of all its processes. */
export function wrongWal(wrong: Omit<WrongWal, 'wrap'>, flawOf: () => WalFlaw): WrongWal {
  return {
    ...wrong,
    wrap(place) {
      const flaw = flawOf()
      return {
        ...place,
        start() {
          const process = place.start()
          return { ...process, wal: flawed(process.wal, flaw) }
        },
        crash() {
          place.crash()
          flaw.crashed?.()
        },
      }
    },
  }
}

function flawed(wal: Wal, flaw: WalFlaw): Wal {
  return {
    name: wal.name,
    durability: wal.durability,
    offsets: wal.offsets,
    ...(wal.logId === undefined
      ? {}
      : { logId: (options: Parameters<typeof wal.logId>[0]) => flaw.logId?.(wal) ?? wal.logId!(options) }),
    async openWriter(options) {
      const writer = await (flaw.openWriter?.(options, wal) ?? wal.openWriter(options))
      return derive(writer, flaw.writer?.(writer, options) ?? {})
    },
    async openReader(options) {
      const reader = await (flaw.openReader?.(options, wal) ?? wal.openReader(options))
      return derive(reader, flaw.reader?.(reader, options) ?? {})
    },
  }
}

/** With some members of its own; the others are those of `inner`, called on it. */
export function derive<T extends object>(inner: T, changes: Partial<T>): T {
  return new Proxy(inner, {
    get(target, name) {
      if (name in changes) return Reflect.get(changes, name) as unknown
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

export const placeOf = ({ segment, position }: WalLocation): string => `${segment}@${position}`

type Life = Pick<SectionHeader, 'topicId' | 'incarnation' | 'partition'>
export const keyOf = (life: Life, offset: bigint): string =>
  `${life.topicId}/${life.incarnation}/${life.partition}@${offset}`

/** An ack of what was never stored. */
export function madeUpAck(section: Section, wal: { readonly durability?: Appended['durability'] } = {}): Appended {
  const baseOffset = section.baseOffset ?? 0n
  const lastOffset = section.lastOffset ?? BigInt(section.recordCount - 1)
  const location = { segment: 'made-up', position: 0, sizeBytes: section.batches.length }
  return { baseOffset, lastOffset, location, durability: wal.durability ?? 'disk' }
}

/** The header of a section, its offsets given or, where they were not, from `next` on. */
export function headerOf({ batches: _, frees: __, ...section }: Section, next: bigint): SectionHeader {
  const baseOffset = section.baseOffset ?? next
  return { ...section, baseOffset, lastOffset: baseOffset + BigInt(section.recordCount) - 1n }
}

/** Is told of a section, and where it lies. */
export type Tell = (header: SectionHeader, at: WalLocation) => void

/** Ends of partitions, by what was told. */
export class Ends {
  readonly #ends = new Map<string, bigint>()

  add(header: SectionHeader): void {
    const key = keyOf(header, 0n)
    const end = header.lastOffset + 1n
    if (end > (this.#ends.get(key) ?? 0n)) this.#ends.set(key, end)
  }

  /** Adds what is told, and tells it on. */
  telling(recover: Tell): Tell {
    return (header, at) => {
      this.add(header)
      recover(header, at)
    }
  }

  of(life: Life): bigint {
    return this.#ends.get(keyOf(life, 0n)) ?? 0n
  }
}
