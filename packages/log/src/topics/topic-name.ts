import { invalid, shown, tableIdentifier } from '@moulin/core'

const topicName = /^[a-zA-Z0-9._-]{1,249}$/
/** Levels become folders, and the files in them have names of their own: a key has 1024 bytes. */
const MAX_TABLE_NAME = 800

/** @throws `invalid` for a name that is not 1 to 249 of `a-z A-Z 0-9 . _ -`, or `.` or `..`. */
export function checkTopicName(name: string): void {
  if (typeof name === 'string' && topicName.test(name) && name !== '.' && name !== '..') return
  throw invalid(
    'TOPIC_NAME',
    `The topic name ${shown(name)} is not allowed: use 1 to 249 of a-z, A-Z, 0-9, dot, underscore and hyphen, and not "." or "..".`,
    { context: { topic: shown(name) } },
  )
}

/** The table of a topic that names none: `default.<topic>`, other characters replaced by `_`. */
export function defaultTable(topic: string): string {
  return `default.${topic.replace(/[^a-zA-Z0-9_-]/g, '_')}`
}

/** @throws `invalid` unless {@link tableIdentifier} takes it, and it has no more than 800 characters together. */
export function checkTableName(table: string): void {
  if (typeof table === 'string' && table.length <= MAX_TABLE_NAME) {
    tableIdentifier(table)
    return
  }
  const message = `The table name ${shown(table)} is not allowed: write namespace.table, at most ${MAX_TABLE_NAME} characters together.`
  throw invalid('TABLE_NAME', message, { context: { table: shown(table) } })
}
