import { invalid } from './errors.ts'
import { nearest } from './near-name.ts'
import { printedValue } from './printed-value.ts'

/** What one option takes. Made by the functions of `option-checks.ts`. */
export interface OptionCheck {
  /** Ends the sentence "it must be …", with the allowed values or the range and its unit. */
  readonly expected: string
  accepts(value: unknown): boolean
  readonly isRequired?: boolean
  /** Of an object with options of its own. */
  readonly table?: AnyTable
}

type AnyTable = Readonly<Record<string, OptionCheck>>

/** One check for every option that `T` declares: the compiler asks for the one that is missing. */
export type OptionTable<T> = { readonly [K in keyof T]-?: OptionCheck }

/**
 * Checks the options of a public function, names and values. An option that is `undefined` is one that was left out. Not for calls
 * that are made once per record.
 *
 * @param what Begins the message: the function, as its caller knows it.
 * @throws `invalid` code `OPTION` that names the option, its value and what is allowed; `context` has `option`.
 */
export function checkOptions<T extends object>(what: string, options: T | undefined, table: OptionTable<T>): void {
  const checks = table as unknown as AnyTable
  if (options !== undefined) return checkTable(what, '', options, checks)
  for (const [name, check] of Object.entries(checks)) if (check.isRequired) throw missingOption(what, name, check)
}

function checkTable(what: string, path: string, options: object, table: AnyTable): void {
  if (!isPlainObject(options)) {
    const named = path === '' ? 'the options' : path.slice(0, -1)
    throw invalid('OPTION', `${what}: ${named} must be an object, not ${printedValue(options)}.`)
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(table, name)) throw unknownOption(what, path + name, name, Object.keys(table))
  }
  for (const [name, check] of Object.entries(table)) {
    const value = (options as Record<string, unknown>)[name]
    if (value === undefined) {
      if (check.isRequired) throw missingOption(what, path + name, check)
    } else if (check.table !== undefined && isPlainObject(value)) {
      checkTable(what, `${path}${name}.`, value, check.table)
    } else if (!check.accepts(value)) {
      const message = `${what}: ${path}${name} is ${printedValue(value)}; it must be ${check.expected}.`
      throw invalid('OPTION', message, { context: { option: path + name } })
    }
  }
}

/** The defaults with what is given in their place; what is given as `undefined` is not. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T> | undefined): T {
  const chosen = Object.entries(given ?? {}).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(chosen) as Partial<T>) }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unknownOption(what: string, option: string, name: string, known: readonly string[]): Error {
  const near = nearest(name, known)
  const advice =
    known.length === 0
      ? 'It takes none.'
      : near === undefined
        ? `The options are ${known.join(', ')}.`
        : `Did you mean ${near}?`
  return invalid('OPTION', `${what}: there is no option ${printedName(option)}. ${advice}`, { context: { option } })
}

function missingOption(what: string, option: string, { expected }: OptionCheck): Error {
  return invalid('OPTION', `${what}: ${option} is missing; it must be ${expected}.`, { context: { option } })
}

const printedName = (name: string): string => (/^[\w.-]{1,80}$/.test(name) ? name : printedValue(name))
