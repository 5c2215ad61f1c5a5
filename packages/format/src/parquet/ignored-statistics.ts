import { guardedLogger, isKind, type Logger, messageOf } from '@moulin/core'
import type { FileNode } from './file-node.ts'

export type Statistic = 'bounds' | 'null count' | 'offset index' | 'column index' | 'bloom filter' | 'dictionary'

export interface StatisticPlace {
  readonly statistic: Statistic
  readonly column: string
  readonly rowGroup: number
}

/**
 * Statistics of a file are optional: one that is broken says nothing, and the rows are read without it. It is told once of
 * each kind and file, so that a file that is wrong throughout does not fill a log.
 */
export interface IgnoredStatistics {
  ignore(place: StatisticPlace, reason: string): void
  /** What `parse` gives, without I/O; undefined, and told, where the bytes are not what they should be. */
  attempt<T>(place: StatisticPlace, parse: () => T): T | undefined
}

export function ignoredStatistics(file: string, logger: () => Logger): IgnoredStatistics {
  const told = new Set<Statistic>()
  const ignore = (place: StatisticPlace, reason: string): void => {
    if (told.has(place.statistic)) return
    told.add(place.statistic)
    guardedLogger(logger()).warn({ file, ...place, reason }, 'A statistic of a data file is wrong and passed over')
  }
  return {
    ignore,
    attempt(place, parse) {
      try {
        return parse()
      } catch (error) {
        if (!isKind(error, 'corrupt') && !isKind(error, 'unsupported') && !isKind(error, 'exhausted')) throw error
        ignore(place, messageOf(error))
        return undefined
      }
    },
  }
}

export function placeIn({ path }: FileNode, rowGroup: number, statistic: Statistic): StatisticPlace {
  return { statistic, column: path.join('.'), rowGroup }
}
