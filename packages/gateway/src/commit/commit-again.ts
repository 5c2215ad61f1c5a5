import { atMost, conflict, hasOutcome, isKind, isMoulinError } from '@moulin/core'
import type { LoadedTable, NamedCommit } from '@moulin/core'
import { checkRequirements } from '@moulin/iceberg'
import { changeCall } from '../calls/change-call.ts'
import type { Gateway, GatewayCall } from '../gateway.ts'
import { areApplied } from './applied.ts'

const FIRST_WAIT_MS = 10
const LONGEST_WAIT_MS = 1000

/** One attempt of all the commits together. */
export type Attempt<T> = (commits: readonly NamedCommit[]) => Promise<T>

/**
 * Tries to commit, once this server's earlier commits to the tables are through, and again where somebody else came first while all that
 * is required still holds of what the tables have become: a bounded number of times, further and further apart.
 *
 * Commits whose snapshots the tables have already are done, whoever was answered: a client sends them again that lost its answer, or
 * whose server was restarted. `answer` makes what it is told then.
 *
 * @throws `conflict` code `REQUIREMENT_FAILED` for a requirement that does not hold, and for numbers that other commits have taken; what
 * the attempt throws.
 */
export function commitAgain<T>(
  commits: readonly NamedCommit[],
  attempt: Attempt<T>,
  answer: (tables: readonly LoadedTable[]) => T,
  call: GatewayCall,
  gateway: Gateway,
): Promise<T> {
  const tables = commits.map(({ identifier }) => identifier)
  return gateway.lines.take(tables, () => tried(commits, attempt, answer, call, gateway), call.signal)
}

async function tried<T>(...[commits, attempt, answer, call, gateway]: Parameters<typeof commitAgain<T>>): Promise<T> {
  const { limits, runtime, overrideLocations } = gateway
  let asked = commits
  for (let tries = 0; ; tries++) {
    try {
      return await attempt(asked)
    } catch (error) {
      const elsewhere = overrideLocations ? withoutLocations(asked, error) : undefined
      if (elsewhere !== undefined) {
        asked = elsewhere
        continue
      }
      const tables = await presentTables(asked, error, call, gateway)
      if (areApplied(tables, asked)) return answer(tables as readonly LoadedTable[])
      if (!isKind(error, 'conflict', 'REQUIREMENT_FAILED') || hasOutcome(error, 'unknown')) throw staleNumbers(error)
      asked.forEach(({ requirements }, at) => checkRequirements(tables[at]?.metadata, requirements))
      if (tries >= limits.maxCommitRetries) throw error
    }
    const share = runtime.random.bytes(1)[0]! / 255
    await runtime.timers.sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries) * share, call.signal)
  }
}

/** One table's. */
export function commitOne(commit: NamedCommit, call: GatewayCall, gateway: Gateway): Promise<LoadedTable> {
  const { catalog } = gateway
  const attempt: Attempt<LoadedTable> = ([{ identifier, requirements, updates }]) =>
    catalog.commitTable(identifier, { requirements, updates }, changeCall(call))
  return commitAgain([commit], attempt, ([table]) => table!, call, gateway)
}

/** The tables as they are after an attempt that failed; an undefined one is not there. @throws the attempt's error where nobody can tell. */
async function presentTables(
  commits: readonly NamedCommit[],
  error: unknown,
  { signal }: GatewayCall,
  { catalog }: Gateway,
): Promise<readonly (LoadedTable | undefined)[]> {
  if (!isMoulinError(error) || !(mayBeApplied.has(error.kind) || error.outcome === 'unknown')) throw error
  const tables: (LoadedTable | undefined)[] = []
  await atMost(LOADS_AT_ONCE, commits, async ({ identifier }, at) => {
    tables[at] = await catalog.loadTable(identifier, { signal }).catch((cause: unknown) => {
      if (isKind(cause, 'not-found', 'TABLE_MISSING')) return undefined
      throw error
    })
  })
  return tables
}

/** A transaction may have thousands of tables. */
const LOADS_AT_ONCE = 8

/** Kinds of errors that a commit is answered with which has been made before. */
const mayBeApplied: ReadonlySet<string> = new Set(['conflict', 'exists', 'invalid'])

/** What another commit has taken meanwhile: the same files go through with other numbers, so it is a race and no fault. */
function staleNumbers(error: unknown): unknown {
  if (!isKind(error, 'invalid', 'SEQUENCE_NUMBER') && !isKind(error, 'invalid', 'ROW_ID')) return error
  return conflict('REQUIREMENT_FAILED', `${error.message} Reload the table.`, { context: error.context, cause: error })
}

/** The commits without the locations that the catalog has refused; undefined where it has refused something else. */
function withoutLocations(commits: readonly NamedCommit[], error: unknown): readonly NamedCommit[] | undefined {
  if (!isKind(error, 'unsupported', 'SET_LOCATION') && !isKind(error, 'unsupported', 'TABLE_LOCATION')) return undefined
  const isSet = commits.some(({ updates }) => updates.some(({ action }) => action === 'set-location'))
  if (!isSet) return undefined
  return commits.map((commit) => ({
    ...commit,
    updates: commit.updates.filter(({ action }) => action !== 'set-location'),
  }))
}
