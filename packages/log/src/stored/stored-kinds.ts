import type { StoredKind } from '@moulin/core'

/** Versions of the log's own JSON objects; the rule is {@link StoredKind}'s. */
export const identityKind: StoredKind = { name: 'log', format: 1, minimumReader: 1 }
export const topicKind: StoredKind = { name: 'topic', format: 1, minimumReader: 1 }
export const schemaKind: StoredKind = { name: 'schema', format: 1, minimumReader: 1 }
export const epochKind: StoredKind = { name: 'epoch', format: 1, minimumReader: 1 }
export const openerKind: StoredKind = { name: 'opener', format: 1, minimumReader: 1 }
export const claimKind: StoredKind = { name: 'claim', format: 1, minimumReader: 1 }
export const checkpointKind: StoredKind = { name: 'checkpoint', format: 1, minimumReader: 1 }
/** Of the write-ahead tier, in binary headers of its own: {@link checkReadable} holds for them, too. */
export const segmentKind: StoredKind = { name: 'segment', format: 1, minimumReader: 1 }
export const frameKind: StoredKind = { name: 'frame', format: 1, minimumReader: 1 }
