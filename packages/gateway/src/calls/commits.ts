import { requireCapability } from '@moulin/core'
import type { TableCommit } from '@moulin/core'
import { readCommitTable, readCommitTransaction } from '@moulin/catalog/rest'
import { done } from '../answer.ts'
import { commitAgain, commitOne } from '../commit/commit-again.ts'
import type { Handler } from '../gateway.ts'
import { changeCall } from './change-call.ts'
import { requireNamespace, tableAnswer, tableOf } from './tables.ts'

/** A commit that makes its table is a creation by another name. */
const actionOf = ({ requirements }: TableCommit): 'createTable' | 'commitTable' =>
  requirements.some(({ type }) => type === 'assert-create') ? 'createTable' : 'commitTable'

export const commitTable: Handler = async (call, gateway) => {
  const { requirements, updates } = readCommitTable(call.body)
  const commit = { identifier: tableOf(call), requirements, updates }
  const action = actionOf(commit)
  await call.may(action, { namespace: call.namespace, table: call.table })
  if (action === 'createTable') await requireNamespace(call, gateway)
  return tableAnswer(call, gateway, await commitOne(commit, call, gateway))
}

export const commitTransaction: Handler = async (call, gateway) => {
  const { catalog } = gateway
  requireCapability(catalog, 'transactions')
  const { 'table-changes': changes } = readCommitTransaction(call.body)
  for (const change of changes) {
    const { namespace, name } = change.identifier
    const action = actionOf(change)
    await call.may(action, { namespace, table: name })
    if (action === 'createTable') await requireNamespace({ ...call, namespace }, gateway)
  }
  await commitAgain(
    changes,
    (commits) => catalog.commitTransaction(commits, changeCall(call)),
    () => undefined,
    call,
    gateway,
  )
  return done
}
