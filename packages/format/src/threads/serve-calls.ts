import { invalid, toErrorData } from '@moulin/core'
import type { ThreadPort } from '@moulin/core'
import type { AnswerMessage, CallMessage, ReadyMessage, ThreadCalls } from './thread-calls.ts'
import { transferablesOf } from './transferables.ts'

/**
 * What one kind of call does. The memory of the request is lent: after the call nothing may look into it but the reply.
 * The memory of the reply goes over, so it must be the reply's own.
 */
export type CallHandlers<C extends ThreadCalls> = {
  readonly [K in keyof C]: (request: C[K]['request']) => C[K]['reply'] | Promise<C[K]['reply']>
}

/** Below the thread that answers acks, which then waits for a core far less; enough above nothing to get its share (decisions 0006, 0056). */
export const WORKER_NICENESS = 10

/** The thread's side of a pool: answers calls one after the other. What a handler throws fails its call only. */
export function serveCalls<C extends ThreadCalls>(port: ThreadPort, handlers: CallHandlers<C>): void {
  let last = Promise.resolve()
  port.on('message', (message) => {
    last = last.then(() => answer(port, handlers, message as CallMessage))
  })
  port.postMessage({ kind: 'ready', calls: Object.keys(handlers) } satisfies ReadyMessage)
}

async function answer<C extends ThreadCalls>(
  port: ThreadPort,
  handlers: CallHandlers<C>,
  { kind, request, lent }: CallMessage,
): Promise<void> {
  try {
    if (!Object.hasOwn(handlers, kind)) throw invalid('CALL', `This thread knows no call ${kind}.`)
    const reply: unknown = await handlers[kind]!(request)
    const moved = transferablesOf(reply)
    const returned = lent.filter((buffer) => !moved.includes(buffer))
    port.postMessage({ kind: 'done', reply, returned } satisfies AnswerMessage, [...moved, ...returned])
  } catch (error) {
    port.postMessage({ kind: 'failed', error: toErrorData(error), returned: lent } satisfies AnswerMessage, [...lent])
  }
}
