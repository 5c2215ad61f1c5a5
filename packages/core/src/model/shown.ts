const MAX_LENGTH = 120

/**
 * A value of a stranger's, for a message: in short, and without a call of anything that is its own, for `{"toString":""}`
 * makes a template throw. Of an error its message.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return clipped(JSON.stringify(value))
    case 'bigint':
      return clipped(value.toString())
    case 'symbol':
    case 'function':
      return `a ${typeof value}`
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : shownObject(value)
  }
}

function shownObject(value: object): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Date) return 'a Date'
  if (value instanceof Map) return 'a Map'
  if (Array.isArray(value)) return 'an array'
  // The one member that is asked for: errors are made by code, not by bytes.
  if (value instanceof Error) return typeof value.message === 'string' ? value.message : 'an error'
  return 'an object'
}

function clipped(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`
}
