import { once } from 'node:events'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Timers } from '@moulin/core'
import { checkOptions, invalid, option, systemRuntime } from '@moulin/core'
import type { CallMatch } from '../fault-rules.ts'
import { LateEffects, matchesCall, RuleBook } from '../fault-rules.ts'
import { seededRandom } from '../seeded-random.ts'
import type { SentRequest } from './forward.ts'
import { endToEnd, forward, forwardTorn, wholeBody } from './forward.ts'
import { requestOf } from './http-fake.ts'
import { emptyListing, reversedListing } from './listing-answers.ts'
import { answerBy, drip, head, pass, reset, tear } from './proxy-answers.ts'
import type { ProxyCall, ProxyRule } from './proxy-rules.ts'
import { checkProxyRule, isAbout } from './proxy-rules.ts'
import type { CloudDialect, CloudOperation } from './request-kind.ts'
import { guessRequest } from './request-kind.ts'

export interface FaultProxyOptions {
  /** The server behind it, a fake's or a real one's: `http://127.0.0.1:PORT`. */
  readonly target: string
  /** Default none. */
  readonly rules?: readonly ProxyRule[]
  /** Of the rules that have a chance. Default 1. */
  readonly seed?: number
  /** For `everyMs`. Default the machine's own. */
  readonly timers?: Pick<Timers, 'sleep' | 'turn'>
}

/** A network between a client and a service that fails by order. */
export interface FaultProxy {
  /** Where clients go in place of the service: `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  readonly calls: readonly ProxyCall[]
  /** How many calls match, to enumerate those of a scenario: run it once, then fail each. */
  countCalls(match?: CallMatch<CloudOperation>): number
  /** @throws `invalid` for a rule that is none. */
  addRule(rule: ProxyRule): { remove(): void }
  /** Requests that are still on their way. */
  countLate(): number
  /** Lets them all arrive, in order, each once the one before is answered: `calls` has what the service said. */
  applyLate(): Promise<void>
  /** Breaks every connection that is open. New ones are taken. */
  cutConnections(): void
  /** Cuts all connections, to clients and to the service. What is still late never arrives. */
  close(): Promise<void>
}

type Open<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Starts a proxy on loopback, before a fake or a real server on loopback, for S3, Google Cloud Storage and Azure alike. Requests go on as
 * they came, so signatures hold: the host stays the one that the client said. It takes a request whole before it decides. Where a service
 * tells clients to go on at an address of its own (resumable uploads), it must make that of the `Host` header, or they go past the proxy.
 *
 * @example
 * const proxy = await faultProxy({ target: fake.endpoint, rules: [{ fault: 'after', operation: 'put', nth: 3 }] })
 *
 * @throws `invalid` code `OPTION` or `FAULT_RULE`.
 */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  checkOptions('faultProxy', options, {
    target: option.required(option.textOf('the URL of a server')),
    rules: option.listOf(option.objectOf('a rule')),
    seed: option.integer('', 0),
    timers: option.door('Timers', ['sleep', 'turn']),
  })
  const server = URL.canParse(options.target) ? new URL(options.target) : undefined
  if (server?.protocol !== 'http:' || !/^(127\.[\d.]+|localhost|\[::1\])$/.test(server.hostname))
    throw invalid('OPTION', `faultProxy: target is ${options.target}; it must be an http: URL on loopback.`, {
      context: { option: 'target' },
    })
  const timers = options.timers ?? systemRuntime().timers
  const random = seededRandom(options.seed ?? 1)
  const calls: Open<ProxyCall>[] = []
  const book = new RuleBook<ProxyCall, ProxyRule>(
    (rule, call) => isAbout(rule, call) && (rule.chance === undefined || random.chance(rule.chance)),
  )
  const late = new LateEffects()
  /** Requests to the service that are under way. */
  const onward = new Set<ClientRequest>()
  /** What each list said last, by its target. */
  const told = new Map<string, string>()
  const addRule = (rule: ProxyRule): { remove(): void } => {
    checkProxyRule(rule)
    return book.add(rule)
  }
  for (const rule of options.rules ?? []) addRule(rule)

  const send = async (call: Open<ProxyCall>, sent: SentRequest): Promise<IncomingMessage> => {
    const answer = await forward(server, sent, onward)
    call.status = answer.statusCode
    return answer
  }
  /** The effect alone: what the service says goes nowhere. */
  const effect = async (call: Open<ProxyCall>, sent: SentRequest): Promise<void> => {
    await wholeBody(await send(call, sent))
  }

  const take = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    outgoing.on('error', () => {})
    const request = requestOf(incoming, calls.length + 1)
    const { number, method, target } = request
    const { dialect, operation, key } = guessRequest(request)
    const call: Open<ProxyCall> = { number, operation, key, method, target, result: 'pending', status: undefined }
    calls.push(call)
    const body = await request.body().catch(() => undefined)
    if (body === undefined) {
      call.result = 'cut'
      return
    }
    // What is read and changed must not be compressed; Amazon's clients sign this header, and never send it.
    const rawHeaders = endToEnd(
      incoming.rawHeaders,
      new Set(operation === 'list' && dialect !== 's3' ? ['accept-encoding'] : []),
    )
    const sent: SentRequest = { method, target, rawHeaders, body }
    await late.apply(number)
    const rule = book.due(call)
    await orUnreachable(call, outgoing, () => act(rule, call, sent, dialect, outgoing))
  }

  const passOn = (call: Open<ProxyCall>, sent: SentRequest, outgoing: ServerResponse): Promise<void> =>
    orUnreachable(call, outgoing, async () => pass(await send(call, sent), outgoing))

  const act = async (
    rule: ProxyRule | undefined,
    call: Open<ProxyCall>,
    sent: SentRequest,
    dialect: CloudDialect,
    outgoing: ServerResponse,
  ): Promise<void> => {
    call.result = rule?.fault ?? 'passed'
    const afterCall = call.number + (rule?.lateAfterCalls ?? Infinity)
    switch (rule?.fault) {
      case 'late':
        late.add(afterCall, () => effect(call, sent))
        return answerBy(rule, dialect, outgoing)
      case 'held':
        late.add(afterCall, () => passOn(call, sent, outgoing))
        return
      case 'after':
        await effect(call, sent)
        return answerBy(rule, dialect, outgoing)
      case 'before':
        return answerBy(rule, dialect, outgoing)
      case 'torn-request':
        await forwardTorn(server, sent, rule.bytes ?? Math.floor(sent.body.length / 2))
        reset(outgoing)
        return
      case 'torn-answer':
        return tear(await send(call, sent), outgoing, rule.bytes)
      case 'drip':
        return drip(await send(call, sent), outgoing, rule, timers)
      default: {
        const answer = await send(call, sent)
        if (call.operation !== 'list' || answer.statusCode !== 200) return pass(answer, outgoing)
        const listing = Buffer.from(await wholeBody(answer)).toString()
        if (rule === undefined) told.set(sent.target, listing)
        const shown =
          rule?.fault === 'stale-list'
            ? (told.get(sent.target) ?? emptyListing(dialect, listing))
            : rule?.fault === 'shuffled-list'
              ? reversedListing(dialect, listing)
              : listing
        head(answer, outgoing, Buffer.byteLength(shown))
        outgoing.end(shown)
      }
    }
  }

  const listener = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (incoming, outgoing) => {
    void take(incoming, outgoing)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    calls,
    countCalls: (match = {}) => calls.filter(({ operation, key }) => matchesCall(match, operation, key)).length,
    addRule,
    countLate: () => late.count,
    applyLate: async () => void (await late.apply()),
    cutConnections: () => listener.closeAllConnections(),
    async close() {
      if (!listener.listening) return
      const closed = once(listener, 'close')
      listener.close()
      listener.closeAllConnections()
      for (const request of onward) request.destroy()
      await closed
    },
  }
}

async function orUnreachable(
  call: Open<ProxyCall>,
  outgoing: ServerResponse,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch {
    call.result = 'unreachable'
    reset(outgoing)
  }
}
