import { invalid } from '@moulin/core'

const topicName = /^[a-zA-Z0-9._-]{1,249}$/
const tableName = /^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)+$/

/** @throws `invalid` for a name that is not 1 to 249 of `a-z A-Z 0-9 . _ -`, or `.` or `..`. */
export function checkTopicName(name: string): void {
  if (typeof name === 'string' && topicName.test(name) && name !== '.' && name !== '..') return
  throw invalid(
    'TOPIC_NAME',
    `The topic name ${JSON.stringify(name)} is not allowed: use 1 to 249 of a-z, A-Z, 0-9, dot, underscore and hyphen, and not "." or "..".`,
    { context: { topic: name } },
  )
}

/** The table of a topic that names none: `default.<topic>`, other characters replaced by `_`. */
export function defaultTable(topic: string): string {
  return `default.${topic.replace(/[^a-zA-Z0-9_-]/g, '_')}`
}

/** @throws `invalid` unless it is at least one namespace level and a name, split at dots. */
export function checkTableName(table: string): void {
  if (tableName.test(table)) return
  throw invalid(
    'TABLE_NAME',
    `The table name ${JSON.stringify(table)} is not allowed: write namespace.table, each level of a-z, A-Z, 0-9, underscore and hyphen.`,
    { context: { table } },
  )
}
