import { invalid } from '../model/errors.ts'
import { nearest } from './near-name.ts'
import { shown } from '../model/shown.ts'

/** What one option takes. Made by the functions of `option-checks.ts`. */
export interface OptionCheck {
  /** Ends the sentence "it must be …", with the allowed values or the range and its unit. */
  readonly expected: string
  accepts(value: unknown): boolean
  readonly isRequired?: boolean
  /** What is given in its place is not shown. */
  readonly isSecret?: boolean
  /** Of an object with options of its own. */
  readonly table?: AnyTable
  /** Of the errors about it; default `OPTION`. */
  readonly code?: string
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
  checkTable({ what, path: '', code: 'OPTION' }, options === undefined ? {} : options, table as never)
}

interface Where {
  readonly what: string
  /** Of the options around, each with a dot behind it. */
  readonly path: string
  readonly code: string
}

function checkTable(where: Where, options: unknown, table: AnyTable): void {
  if (!isObject(options)) throw refusal(where, '', `the options must be an object, not ${shown(options)}.`)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(table, name)) throw refusal(where, name, `there is no option ${unknownText(where, name, table)}`)
  }
  for (const [name, check] of checksOf(table)) {
    const value = (options as Record<string, unknown>)[name]
    if (isPlainlyRight(check, value)) continue
    const { code = where.code, expected, isSecret = false } = check
    const at = { ...where, code }
    if (value === undefined) {
      throw refusal(at, name, `${where.path}${name} is missing; it must be ${expected}.`)
    }
    if (check.table !== undefined && isObject(value)) {
      checkTable({ ...at, path: `${where.path}${name}.` }, value, check.table)
    } else if (!check.accepts(value)) {
      throw refusal(at, name, `${where.path}${name} is ${isSecret ? 'none' : shown(value)}; it must be ${expected}.`)
    }
  }
}

/** Mostly that is all there is to say. */
function isPlainlyRight(check: OptionCheck, value: unknown): boolean {
  if (value === undefined) return check.isRequired !== true
  return check.table === undefined && check.accepts(value)
}

// Tables are written down once each: `Object.entries` would make theirs anew for each append.
const checks = new WeakMap<AnyTable, readonly (readonly [string, OptionCheck])[]>()

function checksOf(table: AnyTable): readonly (readonly [string, OptionCheck])[] {
  let known = checks.get(table)
  if (known === undefined) checks.set(table, (known = Object.entries(table)))
  return known
}

function refusal({ what, path, code }: Where, name: string, sentence: string): Error {
  return invalid(code, `${what}: ${sentence}`, { context: { option: path + name } })
}

function unknownText({ path }: Where, name: string, table: AnyTable): string {
  const known = Object.keys(table)
  const near = nearest(name, known)
  const printed = /^[\w.-]{1,80}$/.test(name) ? path + name : shown(path + name)
  if (near !== undefined) return `${printed}. Did you mean ${near}?`
  return known.length === 0 ? `${printed}: it takes none.` : `${printed}. The options are ${known.join(', ')}.`
}

/** The defaults with what is given in their place; what is given as `undefined` is not. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T> | undefined): T {
  const chosen = Object.entries(given ?? {}).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(chosen) as Partial<T>) }
}

/** No array, and not null. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
