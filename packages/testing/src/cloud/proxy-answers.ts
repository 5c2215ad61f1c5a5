import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'
import type { Timers } from '@moulin/core'
import { endToEnd, wholeBody } from './forward.ts'
import type { ProxyRule } from './proxy-rules.ts'
import type { CloudDialect } from './request-kind.ts'
import { serviceAnswer } from './service-answers.ts'

/** Breaks the connection so that the client hears of it. */
export function reset(outgoing: ServerResponse): void {
  outgoing.socket?.resetAndDestroy()
}

export function answerBy({ answer = 'reset' }: ProxyRule, dialect: CloudDialect, outgoing: ServerResponse): void {
  if (answer === 'silence') return
  if (answer === 'reset') {
    reset(outgoing)
    return
  }
  const { status, headers, body } = serviceAnswer(answer, dialect)
  const bytes = Buffer.from(body as string)
  outgoing.writeHead(status, { ...headers, 'content-length': bytes.length })
  outgoing.end(bytes)
}

/** `bodyBytes` where the body is another than the one that came. */
export function head(answer: IncomingMessage, outgoing: ServerResponse, bodyBytes?: number): void {
  const own = bodyBytes === undefined ? [] : ['Content-Length', String(bodyBytes)]
  const kept = endToEnd(answer.rawHeaders, new Set(bodyBytes === undefined ? [] : ['content-length']))
  outgoing.writeHead(answer.statusCode!, [...kept, ...own])
}

/** Also to a client that has gone, or goes: what the service says then goes nowhere. @throws where the service breaks off. */
export async function pass(answer: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  let isLeft = outgoing.destroyed
  if (isLeft) answer.resume()
  else {
    head(answer, outgoing)
    outgoing.on('close', () => {
      isLeft ||= !outgoing.writableFinished
      answer.destroy()
    })
    answer.pipe(outgoing)
  }
  await finished(answer).catch((error: unknown) => {
    if (!isLeft) throw error
  })
}

export async function tear(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  bytes: number | undefined,
): Promise<void> {
  const body = await wholeBody(answer)
  // Its head alone would be the whole answer.
  if (body.length === 0) return reset(outgoing)
  head(answer, outgoing, body.length)
  const kept = Math.min(bytes ?? Math.floor(body.length / 2), body.length - 1)
  outgoing.write(body.subarray(0, kept), () => outgoing.destroy())
}

export async function drip(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  { bytes = 1024, everyMs }: ProxyRule,
  timers: Pick<Timers, 'sleep' | 'turn'>,
): Promise<void> {
  const body = await wholeBody(answer)
  head(answer, outgoing)
  for (let at = 0; at < body.length && !outgoing.destroyed; at += Math.max(1, bytes)) {
    outgoing.write(body.subarray(at, at + Math.max(1, bytes)))
    await (everyMs === undefined ? timers.turn() : timers.sleep(everyMs))
  }
  outgoing.end()
}
