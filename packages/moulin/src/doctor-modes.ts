import type { Patient } from './doctor-place.ts'
import type { Finding, Mode } from './doctor-report.ts'

/** What can be kept at a place, by what was found there. */
export function modesOf({ room, place }: Patient, findings: readonly Finding[]): Mode[] {
  const isUnsafe = findings.some(({ verdict }) => verdict === 'fault')
  const mode = (name: string, isPossible: boolean, says: string): Mode => ({
    mode: name,
    carries: isPossible && !isUnsafe,
    says: isUnsafe ? 'not before the faults are mended' : says,
  })
  const { compareAndSwap } = room.capabilities
  const isFolder = place.kind === 'folder'
  const isShared = compareAndSwap && room.durability !== 'disk' && room.durability !== 'memory'
  const why = compareAndSwap ? `an ack would survive ${room.durability} only` : 'it has no atomic swaps'
  return [
    mode('tables and their catalog', true, 'commits are atomic creates'),
    mode(
      isFolder ? 'a log, all in this folder' : 'a log with its write-ahead data on a local disk',
      true,
      isFolder
        ? 'an ack survives the process and a power loss, not the disk'
        : 'openLog(place, { wal: fileWal({ dir }) })',
    ),
    mode(
      'a log with its write-ahead data here',
      isShared,
      isShared ? 'the place could carry it; this version has no such Wal yet' : why,
    ),
    mode(
      'several writers of one log',
      isShared,
      isShared ? 'the place could carry them; this version has one writer' : why,
    ),
  ]
}
