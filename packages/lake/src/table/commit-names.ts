import { stringField } from '@moulin/core'
import type { JsonObject } from '@moulin/core'

/** What every record of a commit says that lies beside the log until the commit is done with. */
export interface CommitNames {
  readonly commit: string
  readonly topic: string
  readonly table: string
  readonly tableUuid: string
}

/** @throws `corrupt`. */
export function parseCommitNames(json: JsonObject, what: string): CommitNames {
  return {
    commit: stringField(json, 'commit', what),
    topic: stringField(json, 'topic', what),
    table: stringField(json, 'table', what),
    tableUuid: stringField(json, 'tableUuid', what),
  }
}
