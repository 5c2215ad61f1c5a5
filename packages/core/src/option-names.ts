import { invalid } from './errors.ts'

/**
 * For those who write without types: a misspelt option would count for nothing, and silently.
 * @throws `invalid` code `OPTION` for an option that is not among `known`.
 */
export function checkOptionNames(what: string, options: object, known: Readonly<Record<string, true>>): void {
  for (const option of Object.keys(options)) {
    if (Object.hasOwn(known, option)) continue
    throw invalid('OPTION', `${what} has no option ${option}: it has ${Object.keys(known).join(', ')}.`, {
      context: { option },
    })
  }
}
