import { invalid, shown } from '@moulin/core'

const topicName = /^[a-zA-Z0-9._-]{1,249}$/
const tableName = /^[a-zA-Z0-9_-]{1,255}(\.[a-zA-Z0-9_-]{1,255}){1,16}$/
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

/** @throws `invalid` unless it is 1 to 16 namespace levels and a name, split at dots, of 1 to 255 characters each, 800 together. */
export function checkTableName(table: string): void {
  if (typeof table === 'string' && tableName.test(table) && table.length <= MAX_TABLE_NAME) return
  throw invalid(
    'TABLE_NAME',
    `The table name ${shown(table)} is not allowed: write namespace.table, up to 16 namespace levels, each of 1 to 255 of a-z, A-Z, 0-9, underscore and hyphen, and at most ${MAX_TABLE_NAME} characters together.`,
    { context: { table: shown(table) } },
  )
}
