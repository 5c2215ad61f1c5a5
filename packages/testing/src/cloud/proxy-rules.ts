import type { OptionCheck, OptionTable } from '@moulin/core'
import { checkOptions, invalid, option } from '@moulin/core'
import type { CallMatch, CountedRule } from '../fault-rules.ts'
import { matchChecks, matchesCall, matchesText, textOrPattern } from '../fault-rules.ts'
import type { CloudOperation } from './request-kind.ts'
import type { ServiceAnswer, ServiceAnswerName } from './service-answers.ts'
import { serviceAnswerNames } from './service-answers.ts'

/**
 * What becomes of a request.
 *
 * - `before`: it never arrives. `after`: it does, and the answer is lost. `late`: it arrives when the test calls `applyLate`, or after
 *   `lateAfterCalls` further requests. As in a `FaultRule`; what the client hears meanwhile is `answer`.
 * - `held`: as `late`, but the client waits and hears the service's own answer.
 * - `torn-request`: `bytes` of its body arrive, then the connection is cut, on both sides.
 * - `torn-answer`: `bytes` of the answer's body arrive, then the connection is cut; of one without a body nothing arrives.
 * - `drip`: the answer comes in pieces of `bytes`, one every `everyMs` (or each turn of the event loop).
 * - `stale-list`: what the same list said when it was last told, or that nothing is there. `shuffled-list`: a page the other way round.
 *   Of what is no list, nothing changes.
 */
export type ProxyFault =
  'before' | 'after' | 'late' | 'held' | 'torn-request' | 'torn-answer' | 'drip' | 'stale-list' | 'shuffled-list'

/** Which requests meet which fault. Rules are tried in order; the first that matches and is due decides. */
export interface ProxyRule extends CallMatch<CloudOperation>, CountedRule {
  readonly fault: ProxyFault
  /** Of the requests that it is about, the share that it counts, from 0 to 1, drawn by the proxy's seed. Default 1. */
  readonly chance?: number
  /** Default: every method. */
  readonly method?: string
  /** A prefix of path and query as sent, or a pattern in them. Default: all. */
  readonly path?: string | RegExp
  /**
   * What the client hears of `before`, `after` and `late`: a word of the service's, an answer of the test's own, `reset` for a connection
   * that breaks (the default), `silence` for one that says nothing until somebody gives up.
   */
  readonly answer?: ServiceAnswerName | 'reset' | 'silence' | ServiceAnswer
  readonly lateAfterCalls?: number
  /** Default: half of the body; of `drip` 1024. */
  readonly bytes?: number
  /** Milliseconds. */
  readonly everyMs?: number
}

/** A request that came to a proxy. */
export interface ProxyCall {
  /** Counts from 1. */
  readonly number: number
  readonly operation: CloudOperation
  /** Of the object; of a list its prefix. */
  readonly key: string
  readonly method: string
  /** Path and query, as sent. */
  readonly target: string
  /** `cut`: the client's body never became whole. `unreachable`: the service did not answer, and nobody ordered it. */
  readonly result: 'pending' | 'passed' | ProxyFault | 'cut' | 'unreachable'
  /** What the service said, once it has, whatever the client heard. */
  readonly status: number | undefined
}

const answerTable: OptionTable<ServiceAnswer> = {
  status: option.required(option.integer('', 200, 599)),
  code: option.text,
  message: option.text,
  headers: option.recordOf(option.text),
  body: option.text,
}
const share: OptionCheck = {
  expected: 'a number from 0 to 1',
  accepts: (value) => typeof value === 'number' && value >= 0 && value <= 1,
}
const table: OptionTable<ProxyRule> = {
  ...matchChecks,
  fault: option.required(
    option.oneOf(
      'before',
      'after',
      'late',
      'held',
      'torn-request',
      'torn-answer',
      'drip',
      'stale-list',
      'shuffled-list',
    ),
  ),
  chance: share,
  method: option.textOf('a method'),
  path: textOrPattern,
  answer: option.anyOf(option.oneOf(...serviceAnswerNames, 'reset', 'silence'), option.nested(answerTable)),
  lateAfterCalls: option.integer('', 0),
  bytes: option.integer('bytes', 0),
  everyMs: option.milliseconds(),
}

/** Which members go with which faults. */
const belongs: Readonly<Record<'answer' | 'lateAfterCalls' | 'bytes' | 'everyMs', readonly ProxyFault[]>> = {
  answer: ['before', 'after', 'late'],
  lateAfterCalls: ['late', 'held'],
  bytes: ['torn-request', 'torn-answer', 'drip'],
  everyMs: ['drip'],
}

/** @throws `invalid` code `OPTION`, or `FAULT_RULE` for a member that its fault does not have. */
export function checkProxyRule(rule: ProxyRule): void {
  checkOptions('A rule of a fault proxy', rule, table)
  for (const [name, faults] of Object.entries(belongs)) {
    if (rule[name as keyof typeof belongs] !== undefined && !faults.includes(rule.fault))
      throw invalid('FAULT_RULE', `A fault "${rule.fault}" has no ${name}; ${faults.join(', ')} have one.`)
  }
}

export function isAbout(rule: ProxyRule, { operation, key, method, target }: ProxyCall): boolean {
  return (
    matchesCall(rule, operation, key) &&
    (rule.method === undefined || rule.method === method) &&
    matchesText(rule.path, target)
  )
}
