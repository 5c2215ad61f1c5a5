import type { TableIdentifier } from './catalog.ts'

/**
 * The door between the committer and maintenance of one process: at most one of them changes a table at a time, so
 * they do not spend their retries on each other. Courtesy only; the catalog's commit is what is safe.
 */
export interface TableGuard {
  /** Runs `work` when all earlier work on the table is done, however that ended. */
  run<T>(table: TableIdentifier, work: () => Promise<T>): Promise<T>
}

export function tableGuard(): TableGuard {
  const tails = new Map<string, Promise<unknown>>()
  return {
    run(table, work) {
      const key = JSON.stringify([table.namespace, table.name])
      const result = (tails.get(key) ?? Promise.resolve()).then(work)
      const tail = result
        .catch(() => undefined)
        .then(() => {
          if (tails.get(key) === tail) tails.delete(key)
        })
      tails.set(key, tail)
      return result
    },
  }
}
