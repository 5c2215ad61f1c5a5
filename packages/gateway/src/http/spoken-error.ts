import { isMoulinError, MoulinError, notFound } from '@moulin/core'
import type { ErrorContext } from '@moulin/core'

/**
 * The error with the words before its message that clients of the REST specification wait for: Apache's own tests look for them, and
 * people search for them.
 */
export function spokenError(error: unknown): unknown {
  if (!isMoulinError(error)) return error
  // A folder that has lost its newest version: to an engine, a file that is not there.
  if (error.code === 'HINT_AHEAD')
    return spokenError(notFound('FILE_VANISHED', error.message, { context: error.context, cause: error }))
  const { kind, code, context, outcome, retryable } = error
  const words = wordsOf(code, context)
  if (words === undefined || error.message.startsWith(words)) return error
  const message = complete.has(code) ? words : `${words}. ${error.message}`
  return new MoulinError(kind, code, message, { context, outcome, retryable, cause: error })
}

/** Those of which the words say all. */
const complete: ReadonlySet<string> = new Set([
  'TABLE_MISSING',
  'TABLE_EXISTS',
  'NAMESPACE_MISSING',
  'NAMESPACE_EXISTS',
])

/** By what was required, which stands in the context of `REQUIREMENT_FAILED`. */
const requirements: Readonly<Record<string, string>> = {
  'assert-create': 'table already exists',
  'assert-table-uuid': 'UUID does not match',
  'assert-last-assigned-field-id': 'last assigned field id changed',
  'assert-current-schema-id': 'current schema changed',
  'assert-last-assigned-partition-id': 'last assigned partition id changed',
  'assert-default-spec-id': 'default partition spec changed',
  'assert-default-sort-order-id': 'default sort order changed',
}

function wordsOf(code: string, context: ErrorContext): string | undefined {
  const text = (name: string): string | undefined => {
    const value = context[name]
    return typeof value === 'string' ? value : undefined
  }
  const table = text('table') ?? text('name') ?? ''
  const namespace = text('namespace') ?? ''
  switch (code) {
    case 'TABLE_MISSING':
      return `Table does not exist: ${table}`
    case 'TABLE_EXISTS':
      return `Table already exists: ${table}`
    case 'NAMESPACE_MISSING':
      return `Namespace does not exist: ${namespace}`
    case 'NAMESPACE_EXISTS':
      return `Namespace already exists: ${namespace}`
    case 'NAMESPACE_NOT_EMPTY':
      return `Namespace ${namespace} is not empty`
    case 'FILE_VANISHED': {
      const file = text('location') ?? text('metadataLocation')
      return file === undefined ? undefined : `Failed to open input stream for file: ${file}`
    }
    case 'REQUIREMENT_FAILED': {
      const requirement = text('requirement') ?? ''
      if (requirement.startsWith('assert-ref-snapshot-id')) return `Requirement failed: ${refWords(context)}`
      const words = Object.hasOwn(requirements, requirement) ? requirements[requirement] : undefined
      return words === undefined ? undefined : `Requirement failed: ${words}`
    }
    default:
      return undefined
  }
}

function refWords({ requirement, wanted, present }: ErrorContext): string {
  const ref = String(requirement).replace(/^assert-ref-snapshot-id of /, '')
  if (wanted === null || wanted === undefined) return `branch or tag ${ref} was created concurrently`
  if (present === null || present === undefined) return `branch or tag ${ref} is missing, expected ${String(wanted)}`
  return `branch or tag ${ref} has changed: expected id ${String(wanted)} != ${String(present)}`
}
