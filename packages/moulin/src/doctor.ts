import {
  aborted,
  checkKey,
  checkOptions,
  invalid,
  isKind,
  isMoulinError,
  messageOf,
  option,
  systemRuntime,
  throwIfAborted,
  waitFor,
} from '@moulin/core'
import type { ObjectStore, OptionCheck, OptionTable, Runtime } from '@moulin/core'
import { meter, pricesOf, priceTables, probeStore } from '@moulin/storage'
import type { PriceTable } from '@moulin/storage'
import { bucketFindings } from './doctor-bucket.ts'
import { checkClock, checkCounter, checkOrder, sample } from './doctor-checks.ts'
import { estimateOf } from './doctor-estimate.ts'
import type { Load } from './doctor-estimate.ts'
import { modesOf } from './doctor-modes.ts'
import { contentsOf, patientAt } from './doctor-place.ts'
import type { Patient } from './doctor-place.ts'
import { fault, fitnessOf, good, warning } from './doctor-report.ts'
import type { DoctorReport, Finding, Latency } from './doctor-report.ts'
import { heedingStore } from './heeding-store.ts'
import type { StorageOptions } from './store-adapters.ts'

export interface DoctorOptions {
  /** As of `openLog`. */
  readonly storage?: StorageOptions
  /** Below it, in a part of its own, the doctor writes. Default `log/probe/`. */
  readonly prefix?: string
  /** Also where something lies that is no log. Default false. */
  readonly yes?: boolean
  /** For the estimate of requests and money. Default: none is made. */
  readonly load?: Load
  /** Default: those of the place's scheme. `none`: only requests. */
  readonly prices?: keyof typeof priceTables | 'none'
  /** Calls of each operation whose latency is measured. Default 20. */
  readonly samples?: number
  /** Hears what begins. */
  readonly onProgress?: (what: string) => void
  /** Ends the examination; what it wrote is taken away first. */
  readonly signal?: AbortSignal
  readonly runtime?: Runtime
}

const positive: OptionCheck = {
  expected: 'a positive number',
  accepts: (value) => typeof value === 'number' && value > 0 && value < Infinity,
}

const optionTable: OptionTable<DoctorOptions> = {
  storage: option.secret(option.objectOf("an object, the adapter's own options")),
  prefix: {
    expected: 'the begin of keys, ending in a slash',
    accepts: (value) => typeof value === 'string' && value.endsWith('/') && isKey(value.slice(0, -1)),
  },
  yes: option.flag,
  load: option.nested<Load>({ rate: option.required(positive), recordBytes: option.required(positive) }),
  prices: option.oneOf(...Object.keys(priceTables), 'none'),
  samples: option.integer('calls', 1, 10_000),
  onProgress: option.callback,
  signal: option.abortSignal,
  runtime: option.runtimeCheck,
}

function isKey(text: string): boolean {
  try {
    checkKey(text)
    return true
  } catch {
    return false
  }
}

/** What one look at the place found, before it is told what to open it with. */
interface Examination {
  readonly findings: Finding[]
  latencies: readonly Latency[]
  storage: StorageOptions
}

/**
 * Tries out what a place does: whether a log is safe there, how fast it is and what it costs. It writes below `prefix` only, in a part of its
 * own, and takes that away again. About 250 requests.
 *
 * @throws `invalid` code `OPTION`; code `NOT_A_LOG` for a place that holds something else, without `yes`; code `NOT_A_PLAIN_PATH` where a
 * link leads out of a folder; `not-found` for a folder that is not there; `aborted` when the signal fires, which says whether anything is
 * left; what opening the store throws. What the store itself does wrong is a finding.
 */
export async function doctor(where: string | URL, options: DoctorOptions = {}): Promise<DoctorReport> {
  checkOptions('doctor', options, optionTable)
  const { prefix = 'log/probe/', samples = 20, onProgress = () => {}, runtime = systemRuntime(), signal } = options
  const base = `${prefix}${runtime.random.uuid()}/`
  const found: Examination = { findings: [], latencies: [], storage: {} }
  const asked: Patient[] = []
  const open = async (): Promise<Patient> => {
    const storage = options.storage === undefined ? found.storage : { ...options.storage, ...found.storage }
    const opened = await patientAt({ where, base, storage, runtime })
    const ending = (store: ObjectStore): ObjectStore => (signal === undefined ? store : heedingStore(store, signal))
    const patient = { ...opened, whole: ending(opened.whole), room: meter(ending(opened.room), { runtime }) }
    asked.push(patient)
    return patient
  }

  throwIfAborted(signal)
  let patient = await open()
  onProgress('what lies there')
  let contents: Contents | undefined
  try {
    contents = await reached(patient, prefix, found)
    if (contents === 'opened otherwise') {
      patient = await open()
      contents = await reached(patient, prefix, found)
    }
    throwIfAborted(signal)
    if (typeof contents === 'object') {
      if (contents.holds === 'something else' && options.yes !== true) throw occupied(patient.name, contents.key!, base)
      // Each round ends with the place opened anew, with what it was found to need.
      while (!(await examined(patient, { samples, runtime, onProgress, found, signal }))) patient = await open()
      onProgress('versioning and lifecycle')
      found.findings.push(...(await waitFor(ownersFindings(patient), signal)))
    }
  } catch (error) {
    throw signal?.aborted === true ? stopped(patient, found, error) : error
  }
  const fitness = fitnessOf(found.findings)
  const usages = asked.map(({ room }) => (room as ReturnType<typeof meter>).usage().requests)
  return {
    place: patient.name,
    holds: typeof contents === 'object' ? contents.holds : 'nothing',
    fitness,
    findings: found.findings,
    latencies: found.latencies,
    modes: modesOf(patient, found.findings),
    estimate: options.load === undefined ? null : estimateOf(options.load, pricesFor(patient, options.prices)),
    storage: found.storage,
    requests: usages.reduce((sum, each) => ({
      get: sum.get + each.get,
      head: sum.head + each.head,
      list: sum.list + each.list,
      put: sum.put + each.put,
      delete: sum.delete + each.delete,
    })),
  }
}

type Contents = Awaited<ReturnType<typeof contentsOf>> | 'opened otherwise'

/** Undefined: it cannot be reached. */
async function reached(patient: Patient, prefix: string, found: Examination): Promise<Contents | undefined> {
  try {
    const contents = await contentsOf(patient, prefix)
    found.findings.push(
      good(
        'reach',
        contents.holds === 'something else' ? `it holds ${contents.key}, and no log` : `it holds ${contents.holds}`,
      ),
    )
    return contents
  } catch (error) {
    if (isNeeded(error, 'LIST_ORDER', found, 'listOrder')) {
      needNoOrder(found)
      return 'opened otherwise'
    }
    if (isKind(error, 'aborted')) throw error
    found.findings.push(faultOf('reach', error))
    return undefined
  }
}

function needNoOrder(found: Examination): void {
  found.storage = { ...found.storage, listOrder: 'none' }
  const says = "it does not list by bytes: open it with storage: { listOrder: 'none' }"
  found.findings.push(warning('list order', 'LIST_ORDER', says))
}

interface Round {
  readonly samples: number
  readonly runtime: Runtime
  readonly onProgress: (what: string) => void
  readonly found: Examination
  readonly signal: AbortSignal | undefined
}

/** False: it is to be opened anew, with what was found. */
async function examined(patient: Patient, { samples, runtime, onProgress, found, signal }: Round): Promise<boolean> {
  const { room } = patient
  const findings: Finding[] = []
  let isAway = false
  const step = async (check: string, work: () => Promise<Finding | undefined>): Promise<boolean> => {
    // The next one would only hear the same.
    if (isAway) return false
    onProgress(check)
    throwIfAborted(signal)
    try {
      const finding = await work()
      if (finding !== undefined) findings.push(finding)
      return true
    } catch (error) {
      throwIfAborted(signal)
      if (isNeeded(error, 'ATTEMPT_IDS_DROPPED', found, 'userMetadata')) {
        found.storage = { ...found.storage, userMetadata: 'dropped' }
        const says =
          "it drops user metadata, so a write whose answer is lost is settled by its bytes: openLog does so by itself, others say userMetadata: 'dropped'"
        found.findings.push(warning('attempt ids', 'ATTEMPT_IDS_DROPPED', says))
        throw new Reopen()
      }
      if (isNeeded(error, 'LIST_ORDER', found, 'listOrder')) {
        needNoOrder(found)
        throw new Reopen()
      }
      findings.push(faultOf(check, error))
      isAway = isKind(error, 'unavailable')
      return false
    }
  }
  try {
    const isSafe = await step('conditional writes', async () => {
      await probeStore(room, { runtime, prefix: 'probe/' })
      return good('conditional writes', 'of 8 writers at a time one wins, reads and ranges are exact, deletes last')
    })
    await step('list order', () => checkOrder({ room, runtime }))
    if (isSafe && room.capabilities.compareAndSwap)
      await step('swaps under a race', () => checkCounter({ room, runtime }))
    await step('clock', () => checkClock({ room, runtime }))
    await step('latency', async () => {
      const { latencies, finding } = await sample({ room, runtime }, samples)
      found.latencies = latencies
      return finding
    })
    found.findings.push(...findings)
    return true
  } catch (error) {
    if (!(error instanceof Reopen)) throw error
    return false
  } finally {
    onProgress('taking away what was written')
    await cleared(patient, found)
  }
}

/** Of what stays behind, so much is named. */
const MOST_TOLD = 5

/** Ends a round early. */
class Reopen extends Error {}

const isNeeded = (error: unknown, code: string, { storage }: Examination, name: string): boolean =>
  isKind(error, 'unsupported', code) && !(name in storage)

async function cleared(patient: Patient, { findings }: Examination): Promise<void> {
  try {
    const left = await patient.clear()
    if (left.length === 0) return
    const more = left.length > MOST_TOLD ? ` and ${left.length - MOST_TOLD} more` : ''
    const told = left.slice(0, MOST_TOLD).join(', ')
    findings.push(warning('traces', 'LEFT_BEHIND', `these could not be taken away: ${told}${more}`))
  } catch (error) {
    // Whoever lists in another order than was said is opened anew, and asked again then.
    if (isKind(error, 'unsupported', 'LIST_ORDER')) return
    findings.push(
      warning(
        'traces',
        codeOf(error),
        `what was written below ${patient.room.root} could not be taken away: ${messageOf(error)}`,
      ),
    )
  }
}

async function ownersFindings(patient: Patient): Promise<Finding[]> {
  const { place } = patient
  if (place.kind === 'folder') return []
  try {
    return bucketFindings(await patient.facts(), place.prefix)
  } catch (error) {
    return [warning('versioning', codeOf(error), `it could not be asked: ${messageOf(error)}`)]
  }
}

function pricesFor({ room }: Patient, named: DoctorOptions['prices']): PriceTable | undefined {
  if (named === 'none') return undefined
  if (named !== undefined) return priceTables[named]
  return pricesOf(room.root)
}

function occupied(name: string, key: string, base: string): Error {
  const message = `${name} holds other things (${key}) and no log. The doctor would write below ${base} there and take it away again: say --yes to let it.`
  return invalid('NOT_A_LOG', message, { context: { key } })
}

/** Nothing of the report is told then but what is left behind. */
function stopped({ room }: Patient, { findings }: Examination, cause: unknown): Error {
  const traces = findings.filter(({ check }) => check === 'traces').map(({ says }) => says)
  const rest = traces.length === 0 ? `nothing of it is left below ${room.root}` : traces.join('; ')
  return aborted('ABORTED', `doctor: it was stopped, and ${rest}.`, { cause })
}

const codeOf = (error: unknown): string | null => (isMoulinError(error) ? error.code : null)

function faultOf(check: string, error: unknown): Finding {
  // A mistake of ours is no finding.
  if (!isMoulinError(error) || error.kind === 'internal') throw error
  return fault(check, error.code, error.message)
}
