import type { OptionTable, Outcome } from '@moulin/core'
import { checkOptions, invalid, isMoulinError, option, unavailable } from '@moulin/core'
import type { CallMatch, CountedRule } from './fault-rules.ts'
import { LateEffects, matchChecks, matchesCall, RuleBook } from './fault-rules.ts'

/**
 * When a call fails, and how. Rules are tried in order; the first that matches a call and is due decides.
 *
 * - `before`: no effect.
 * - `after`: the effect happens, the answer is lost.
 * - `late`: the answer is lost, and the effect happens later: when the test calls `applyLate`, or after
 *   `lateAfterCalls` further calls, as a request that was stuck in a network.
 */
export interface FaultRule<Operation extends string> extends CallMatch<Operation>, CountedRule {
  readonly fault: 'before' | 'after' | 'late'
  /** What the error says of a `before`. Default `rejected`; the others are always `unknown`. */
  readonly outcome?: Outcome
  readonly lateAfterCalls?: number
}

const ruleTable: OptionTable<FaultRule<string>> = {
  fault: option.required(option.oneOf('before', 'after', 'late')),
  ...matchChecks,
  outcome: option.oneOf('rejected', 'unknown'),
  lateAfterCalls: option.integer('', 0),
}

/** One call that reached the faulty one, in order. */
export interface FaultyCall<Operation extends string> {
  /** Counts from 1. */
  readonly number: number
  readonly operation: Operation
  /** Of an object or, with dots, of a table; the prefix of a list. */
  readonly key: string
  /** What the caller saw: the answer, an ordered fault, or the error of the call itself by its kind. */
  result: 'pending' | 'ok' | 'before' | 'after' | 'late' | `error ${string}`
}

/** What every faulty thing offers a test. */
export interface Faults<Operation extends string> {
  readonly calls: readonly FaultyCall<Operation>[]
  /** How many calls match, to enumerate the calls of a scenario: run it once, then fail each. */
  countCalls(match?: CallMatch<Operation>): number
  addRule(rule: FaultRule<Operation>): { remove(): void }
  /** Effects that are still on their way. */
  countLate(): number
  /** Lets all late effects happen now, in order. Their own errors (the key exists by now, …) are returned, not thrown. */
  applyLate(): Promise<unknown[]>
}

/** Decides for each call, by rules, whether and how it fails. Shared by faulty stores and catalogs. */
export class FaultPlan<Operation extends string> implements Faults<Operation> {
  readonly calls: FaultyCall<Operation>[] = []
  readonly #rules = new RuleBook<FaultyCall<Operation>, FaultRule<Operation>>((rule, { operation, key }) =>
    matchesCall(rule, operation, key),
  )
  readonly #late = new LateEffects()

  constructor(rules: readonly FaultRule<Operation>[]) {
    for (const rule of rules) this.addRule(rule)
  }

  addRule(rule: FaultRule<Operation>): { remove(): void } {
    checkOptions('A fault rule', rule as FaultRule<string>, ruleTable)
    if (rule.outcome !== undefined && rule.fault !== 'before')
      throw invalid('FAULT_RULE', `A fault "${rule.fault}" always has the outcome unknown: leave it out.`)
    return this.#rules.add(rule)
  }

  countCalls(match: CallMatch<Operation> = {}): number {
    return this.calls.filter(({ operation, key }) => matchesCall(match, operation, key)).length
  }

  countLate(): number {
    return this.#late.count
  }

  async applyLate(): Promise<unknown[]> {
    return this.#late.apply()
  }

  /** Runs one call; `effect` does it. */
  async run<T>(operation: Operation, key: string, effect: () => Promise<T>): Promise<T> {
    const call: FaultyCall<Operation> = { number: this.calls.length + 1, operation, key, result: 'pending' }
    this.calls.push(call)
    await this.#late.apply(call.number)
    const rule = this.#rules.due(call)
    if (rule?.fault === 'before') throw lost(call, rule)
    if (rule?.fault === 'late') {
      this.#late.add(call.number + (rule.lateAfterCalls ?? Infinity), effect)
      throw lost(call, rule)
    }
    try {
      const answer = await effect()
      call.result = 'ok'
      if (rule === undefined) return answer
    } catch (error) {
      // An answer is an answer, good or bad: this one is lost as well.
      if (rule === undefined) {
        call.result = `error ${isMoulinError(error) ? error.kind : 'internal'}`
        throw error
      }
    }
    throw lost(call, rule)
  }
}

function lost<Operation extends string>(call: FaultyCall<Operation>, { fault, outcome }: FaultRule<Operation>): Error {
  call.result = fault
  const { number, operation, key } = call
  return unavailable('FAULT', `Call ${number}, ${operation} of ${key}, failed by order (${fault}).`, {
    outcome: fault === 'before' ? (outcome ?? 'rejected') : 'unknown',
    context: { number, operation, key, fault },
  })
}
