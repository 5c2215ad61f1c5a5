import { namespaceText } from '@moulin/core'
import type { LoadedNamespace } from '@moulin/core'
import { parentNamespace, readCreateNamespace, readSetProperties } from '@moulin/catalog/rest'
import type { ListNamespacesAnswer, NamespaceAnswer, NamespaceChangeAnswer } from '@moulin/catalog/rest'
import { done, jsonAnswer } from '../answer.ts'
import type { Answer } from '../answer.ts'
import type { Handler } from '../gateway.ts'
import { changeCall } from './change-call.ts'
import { pageOf } from './pages.ts'

export const listNamespaces: Handler = async (call, { catalog, limits }) => {
  const parent = parentNamespace(call.query.get('parent') ?? '')
  await call.may('listNamespaces', { namespace: parent })
  const list = catalog.listNamespaces(parent, { signal: call.signal })
  const { items, token } = await pageOf(call, list, namespaceText, limits.maxPageSize)
  const body: ListNamespacesAnswer = { namespaces: items, ...(token === undefined ? {} : { 'next-page-token': token }) }
  return jsonAnswer(body)
}

export const createNamespace: Handler = async (call, { catalog }) => {
  const { namespace, properties = {} } = readCreateNamespace(call.body)
  await call.may('createNamespace', { namespace })
  return answerOf(await catalog.createNamespace(namespace, properties, changeCall(call)))
}

export const loadNamespace: Handler = async (call, { catalog }) => {
  await call.may('loadNamespace', { namespace: call.namespace })
  return answerOf(await catalog.loadNamespace(call.namespace, { signal: call.signal }))
}

export const namespaceExists: Handler = async (call, { catalog }) => {
  await call.may('loadNamespace', { namespace: call.namespace })
  await catalog.loadNamespace(call.namespace, { signal: call.signal })
  return done
}

export const setNamespaceProperties: Handler = async (call, { catalog }) => {
  const change = readSetProperties(call.body)
  await call.may('setNamespaceProperties', { namespace: call.namespace })
  const changed = await catalog.setNamespaceProperties(call.namespace, change, changeCall(call))
  const body: NamespaceChangeAnswer = changed
  return jsonAnswer(body)
}

export const dropNamespace: Handler = async (call, { catalog }) => {
  await call.may('dropNamespace', { namespace: call.namespace })
  await catalog.dropNamespace(call.namespace, changeCall(call))
  return done
}

function answerOf({ namespace, properties }: LoadedNamespace): Answer {
  const body: NamespaceAnswer = { namespace, properties }
  return jsonAnswer(body)
}
