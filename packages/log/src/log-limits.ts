import { defaultLimits, formatCaps, invalid, shown, withDefaults, type Limits } from '@moulin/core'
import { LONE_RECORD_BYTES } from '@moulin/format'

/** Below these nothing could be stored. */
const floors: Partial<Limits> = {
  // The rest of a marker, without ledger and field ids, which leave it for objects of their own.
  markerBytes: 1024,
}

/** One limit that, with what stands around it, must fit into another. */
interface Order {
  readonly part: keyof Limits
  readonly whole: keyof Limits
  readonly around: number
  readonly why: string
}

const orders: readonly Order[] = [
  {
    part: 'maxRecordBytes',
    whole: 'maxBatchBytes',
    around: LONE_RECORD_BYTES,
    why: 'a record is sent in a batch, which has a header',
  },
  { part: 'maxBatchBytes', whole: 'maxDecompressedBatchBytes', around: 0, why: 'a batch may come uncompressed' },
  { part: 'metadataWarnBytes', whole: 'metadataStopBytes', around: 0, why: 'the warning comes first' },
  { part: 'markerBytes', whole: 'metadataWarnBytes', around: 0, why: "a marker is a part of its table's metadata" },
]

/**
 * The limits of a log, defaults filled in.
 * @throws `invalid` code `LIMIT` for a name that is none, a value that is no positive integer, one that no reader of this
 * format would take ({@link formatCaps}), and for two that contradict each other, naming both.
 */
export function logLimits(given: Partial<Limits> = {}): Limits {
  const limits = withDefaults<Limits>(defaultLimits, given)
  for (const [name, value] of Object.entries(limits) as [keyof Limits, unknown][]) {
    if (!(name in defaultLimits)) throw invalid('LIMIT', `There is no limit ${name}.`, { context: { limit: name } })
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
      throw invalid('LIMIT', `The limit ${name} is ${shown(value)}; it must be a positive integer.`, {
        context: { limit: name },
      })
    }
    checkRange(name, value)
  }
  for (const order of orders) checkOrder(limits, order)
  return limits
}

function checkRange(name: keyof Limits, value: number): void {
  const least = floors[name] ?? 1
  const most = name in formatCaps ? formatCaps[name as keyof Limits & keyof typeof formatCaps] : Infinity
  if (value >= least && value <= most) return
  const bound = value < least ? `the least that works is ${least}` : `readers of this format take at most ${most}`
  throw invalid('LIMIT', `The limit ${name} is ${value}; ${bound}.`, { context: { limit: name, value, least, most } })
}

function checkOrder(limits: Limits, { part, whole, around, why }: Order): void {
  const [small, large] = [limits[part], limits[whole]]
  if (small + around <= large) return
  const room = around === 0 ? '' : ` less ${around} bytes`
  throw invalid(
    'LIMIT',
    `The limit ${part} is ${small} and ${whole} is ${large}: ${part} must be at most ${whole}${room}, for ${why}. Lower the one or raise the other.`,
    { context: { [part]: small, [whole]: large } },
  )
}
