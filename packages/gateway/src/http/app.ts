import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Context } from 'hono'
import { notFound } from '@moulin/core'
import { routes } from '@moulin/catalog/rest'
import type { Route, RouteName } from '@moulin/catalog/rest'
import { jsonAnswer } from '../answer.ts'
import type { Calls } from '../serve-call.ts'
import { routerPath } from './path-names.ts'
import { answerOfError, responseOf } from './responses.ts'

type App = Hono<{ Bindings: HttpBindings }>

/** All routes of the specification, whether the catalog can serve them or not: what it cannot, it says itself. */
export function gatewayApp(calls: Calls): App {
  const app: App = new Hono()
  const entries = Object.entries(routes) as readonly (readonly [RouteName, Route])[]
  const headOf = new Map(entries.filter(([, { method }]) => method === 'HEAD').map(([name, { path }]) => [path, name]))
  for (const [name, { method, path }] of entries) {
    // The router answers HEAD by what answers GET.
    if (method === 'HEAD') continue
    const serve = (context: Context<{ Bindings: HttpBindings }>): Promise<Response> => {
      const { raw } = context.req
      const asked = raw.method === 'HEAD' ? (headOf.get(path) ?? name) : name
      return calls.serve(asked, raw, context.env.incoming)
    }
    app.on(method, routerPath(path), serve)
  }
  app.get('/health', () => {
    const answer = jsonAnswer({ status: calls.isStopping ? 'stopping' : 'ok' })
    return responseOf({ ...answer, status: calls.isStopping ? 503 : 200 }, calls.isStopping)
  })
  app.notFound((context) => {
    const message = `This server has no ${context.req.method} ${new URL(context.req.url).pathname}.`
    return responseOf(answerOfError(notFound('ROUTE', message)), true)
  })
  return app
}
