const MAX_CHARACTERS = 80

/** A value from anywhere, for a message: short, on one line, and without a call of its own methods. */
export function printedValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > MAX_CHARACTERS ? `${value.slice(0, MAX_CHARACTERS)}…` : value)
    case 'bigint':
      return `${value}n`
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : kindOf(value)
    default:
      return `a ${typeof value}`
  }
}

function kindOf(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  for (const [type, name] of named) if (value instanceof type) return name
  return 'an object'
}

const named = [
  [Date, 'a Date'],
  [Uint8Array, 'a Uint8Array'],
  [URL, 'a URL'],
  [Map, 'a Map'],
  [Set, 'a Set'],
  [RegExp, 'a RegExp'],
  [Promise, 'a Promise'],
  [Error, 'an Error'],
] as const
