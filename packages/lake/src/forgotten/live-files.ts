import type { DataFile, FileScanTask } from '@moulin/iceberg'
import { decodeSingleValue } from '@moulin/iceberg'
import { isOwnName } from '../table/data-files.ts'
import type { TableColumns } from '../table/table-layout.ts'

/** A data file of a snapshot, and between which places its rows are. */
export interface LiveFile {
  readonly file: DataFile
  /** Data sequence number. */
  sequence: bigint
  /** Not one of the log's own. */
  readonly isStranger: boolean
  /** Inclusive; rounded outwards. */
  readonly partitions: Bounds
  readonly offsets: Bounds
}

interface Bounds {
  readonly lower: number
  readonly upper: number
}

/** The data files of a snapshot that holds files of others. Some hundred bytes for each. */
export class LiveFiles {
  readonly #all: LiveFile[] = []
  readonly #strangers: LiveFile[] = []
  readonly #byPath = new Map<string, LiveFile>()

  /** A file that is listed twice counts once, with the lower sequence number. */
  add({ file, sequenceNumber }: Pick<FileScanTask, 'file' | 'sequenceNumber'>, columns: TableColumns): void {
    const known = this.#byPath.get(file.filePath)
    if (known !== undefined) {
      if (sequenceNumber < known.sequence) known.sequence = sequenceNumber
      return
    }
    const live: LiveFile = {
      file,
      sequence: sequenceNumber,
      isStranger: !isOwnName(file.filePath),
      partitions: boundsOf(file, columns, '_kafka_partition'),
      offsets: boundsOf(file, columns, '_kafka_offset'),
    }
    this.#byPath.set(file.filePath, live)
    this.#all.push(live)
    if (live.isStranger) this.#strangers.push(live)
  }

  get isPure(): boolean {
    return this.#strangers.length === 0
  }

  get(filePath: string): LiveFile | undefined {
    return this.#byPath.get(filePath)
  }

  /** Files that may have rows at places of this one's; of two files of the log's own, never. */
  rivalsOf(live: LiveFile): LiveFile[] {
    const others = live.isStranger ? this.#all : this.#strangers
    return others.filter(
      (other) => other !== live && meet(live.partitions, other.partitions) && meet(live.offsets, other.offsets),
    )
  }
}

const meet = (a: Bounds, b: Bounds): boolean => a.lower <= b.upper && b.lower <= a.upper

function boundsOf(file: DataFile, { byName }: TableColumns, name: string): Bounds {
  const { id, type } = byName.get(name)!
  // Rows without an identity are at no place.
  if (file.nullValueCounts.get(id) === file.recordCount) return { lower: Infinity, upper: -Infinity }
  const value = (bytes: Uint8Array | undefined, none: number): number => {
    if (bytes === undefined) return none
    const exact = Number(decodeSingleValue(type, bytes) as number | bigint)
    return Number.isSafeInteger(exact) ? exact : none
  }
  return { lower: value(file.lowerBounds.get(id), -Infinity), upper: value(file.upperBounds.get(id), Infinity) }
}
