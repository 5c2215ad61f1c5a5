import type { OptionCheck, OptionTable } from '@moulin/core'
import { option } from '@moulin/core'

/** Which calls a rule is about. */
export interface CallMatch<Operation extends string> {
  /** Default: every operation. */
  readonly operation?: Operation | readonly Operation[]
  /** A prefix of the key, or a pattern in it. Default: all. */
  readonly key?: string | RegExp
}

/** How many of the calls that a rule is about it decides. */
export interface CountedRule {
  /** The first matching call that fails, counted from 1. Default 1. */
  readonly nth?: number
  /** How many fail from then on. Default 1; Infinity for all. */
  readonly times?: number
}

/** A prefix, or a pattern. */
export const textOrPattern: OptionCheck = option.anyOf(option.text, option.door('a pattern', ['test']))

/** For the option tables of rules. */
export const matchChecks: OptionTable<CallMatch<string> & CountedRule> = {
  operation: option.anyOf(option.text, option.listOf(option.text)),
  key: textOrPattern,
  nth: option.integer('', 1),
  times: option.anyOf(option.integer('', 1), option.oneOf(Infinity)),
}

export function matchesCall<Operation extends string>(
  match: CallMatch<Operation>,
  operation: Operation,
  key: string,
): boolean {
  if (match.operation !== undefined && ![match.operation].flat().includes(operation)) return false
  return matchesText(match.key, key)
}

export function matchesText(wanted: string | RegExp | undefined, text: string): boolean {
  if (wanted === undefined) return true
  return typeof wanted === 'string' ? text.startsWith(wanted) : text.search(wanted) >= 0
}

/** Rules in the order in which they are tried: the first that matches a call and is due decides; all that match count it. */
export class RuleBook<Call, Rule extends CountedRule> {
  readonly #matches: (rule: Rule, call: Call) => boolean
  readonly #rules: { readonly rule: Rule; matched: number }[] = []

  constructor(matches: (rule: Rule, call: Call) => boolean) {
    this.#matches = matches
  }

  add(rule: Rule): { remove(): void } {
    const counted = { rule, matched: 0 }
    this.#rules.push(counted)
    return { remove: () => void (this.#rules.includes(counted) && this.#rules.splice(this.#rules.indexOf(counted), 1)) }
  }

  due(call: Call): Rule | undefined {
    let due: Rule | undefined
    for (const counted of this.#rules) {
      const { rule } = counted
      if (!this.#matches(rule, call)) continue
      counted.matched++
      const first = rule.nth ?? 1
      if (counted.matched >= first && counted.matched < first + (rule.times ?? 1)) due ??= rule
    }
    return due
  }
}

/** Effects that are still on their way. */
export class LateEffects {
  #waiting: { readonly afterCall: number; readonly effect: () => Promise<unknown> }[] = []

  get count(): number {
    return this.#waiting.length
  }

  /** `afterCall` is the number of the last call that may come before it. */
  add(afterCall: number, effect: () => Promise<unknown>): void {
    this.#waiting.push({ afterCall, effect })
  }

  /** Those that are due before the call with that number happen now, in order. Their own errors are returned, not thrown. */
  async apply(call: number = Infinity): Promise<unknown[]> {
    const due = this.#waiting.filter(({ afterCall }) => afterCall < call || call === Infinity)
    this.#waiting = this.#waiting.filter((late) => !due.includes(late))
    const errors: unknown[] = []
    for (const { effect } of due) await effect().catch((error: unknown) => errors.push(error))
    return errors
  }
}
