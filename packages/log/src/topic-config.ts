import {
  day,
  invalid,
  unsupported,
  type Codec,
  type Limits,
  type OnBroken,
  type PartitionFieldOf,
  type TopicConfig,
  type ValueMode,
} from '@moulin/core'
import { identityText, registryText } from './registry-identity.ts'
import { checkTableName, defaultTable } from './topic-name.ts'

const DAY_MS = 86_400_000
const TIMESTAMP_BEFORE_MAX_MS = 3_650 * DAY_MS
const TIMESTAMP_AFTER_MAX_MS = 3_600_000

/** A topic's config with all defaults filled in, as plain data; codecs are ids in the schema ledger. */
export interface StoredConfig {
  readonly partitions: number
  readonly table: string
  readonly partitionBy: readonly PartitionFieldOf[]
  readonly valueMode: ValueMode
  readonly rowCrc: boolean
  /** Null: by the amount that waits (60 s or 600 s). */
  readonly freshnessMs: number | null
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly onBadRecord: 'raw'
}

const known = new Set([
  'partitions',
  'value',
  'key',
  'table',
  'partitionBy',
  'valueMode',
  'rowCrc',
  'freshnessMs',
  'timestampBeforeMaxMs',
  'timestampAfterMaxMs',
  'onBadRecord',
  'onBroken',
])

/** Fills in the defaults. @throws `invalid` or `unsupported`, naming the option. */
export function resolveConfig(topic: string, config: TopicConfig<never> | TopicConfig, limits: Limits): StoredConfig {
  const { partitions = 1, table = defaultTable(topic), rowCrc = true, freshnessMs, onBadRecord = 'raw' } = config
  for (const option of Object.keys(config)) {
    if (!known.has(option)) throw unsupported('TOPIC_CONFIG', `Topic ${topic}: the option ${option} is not known.`)
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > limits.maxPartitions) {
    throw invalid('PARTITIONS', `Topic ${topic}: partitions ${partitions} is not in 1 to ${limits.maxPartitions}.`, {
      context: { topic, partitions, maxPartitions: limits.maxPartitions },
    })
  }
  checkTableName(table)
  if ((onBadRecord as string) !== 'raw') {
    throw unsupported('BAD_RECORD', `Topic ${topic}: onBadRecord ${String(onBadRecord)} comes later; use raw.`)
  }
  checkOnBroken(config.onBroken, `Topic ${topic}`)
  const valueMode = config.valueMode ?? (config.value === undefined ? 'raw' : 'columns')
  if (!['raw', 'columns', 'columns+raw'].includes(valueMode)) {
    throw invalid('VALUE_MODE', `Topic ${topic}: valueMode ${String(valueMode)} is not raw, columns or columns+raw.`)
  }
  if (valueMode !== 'raw' && config.value === undefined) {
    throw invalid('VALUE_MODE', `Topic ${topic}: valueMode ${valueMode} needs a value codec.`)
  }
  if (freshnessMs !== undefined && !(freshnessMs > 0 && Number.isFinite(freshnessMs))) {
    throw invalid('FRESHNESS', `Topic ${topic}: freshnessMs ${freshnessMs} must be a positive number of milliseconds.`)
  }
  return {
    partitions,
    table,
    partitionBy: (config.partitionBy ?? [day('_kafka_timestamp')]).map(({ source, transform, name }) => ({
      source,
      transform,
      name,
    })),
    valueMode,
    rowCrc,
    freshnessMs: freshnessMs ?? null,
    timestampBeforeMaxMs: timestampBound(
      topic,
      'timestampBeforeMaxMs',
      config.timestampBeforeMaxMs,
      TIMESTAMP_BEFORE_MAX_MS,
    ),
    timestampAfterMaxMs: timestampBound(
      topic,
      'timestampAfterMaxMs',
      config.timestampAfterMaxMs,
      TIMESTAMP_AFTER_MAX_MS,
    ),
    onBadRecord,
  }
}

/** @throws `invalid`. */
export function checkOnBroken(onBroken: OnBroken | undefined, what: string): void {
  if (onBroken === undefined || ['error', 'restore', 'gap'].includes(onBroken)) return
  throw invalid('ON_BROKEN', `${what}: onBroken ${String(onBroken)} is not 'error', 'restore' or 'gap'.`)
}

function timestampBound(topic: string, option: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault
  if (Number.isSafeInteger(value) && value >= -1) return value
  throw invalid('TIMESTAMP_BOUND', `Topic ${topic}: ${option} ${value} must be milliseconds, or -1 for no bound.`)
}

/**
 * Refuses a config that is not the stored one. Only the options in `options` are compared.
 * @throws `invalid` code `CONFIG_DIFFERS`, the difference printed.
 */
export function checkSameConfig(
  topic: string,
  stored: StoredConfig,
  given: StoredConfig,
  options: Iterable<keyof StoredConfig>,
): void {
  const differences: string[] = []
  for (const option of options) {
    const [was, is] = [show(stored[option]), show(given[option])]
    if (was !== is) differences.push(`${option}: stored ${was}, given ${is}`)
  }
  if (differences.length === 0) return
  throw invalid(
    'CONFIG_DIFFERS',
    `Topic ${topic} exists with another config: ${differences.join('; ')}. A config is fixed at creation.`,
    { context: { topic, differences: differences.join('; ') } },
  )
}

/** Every option that can differ, codecs apart. */
export const comparedOptions: readonly (keyof StoredConfig)[] = [
  'partitions',
  'table',
  'partitionBy',
  'valueMode',
  'rowCrc',
  'freshnessMs',
  'timestampBeforeMaxMs',
  'timestampAfterMaxMs',
  'onBadRecord',
]

function show(value: StoredConfig[keyof StoredConfig]): string {
  if (!Array.isArray(value)) return JSON.stringify(value)
  return `[${(value as readonly PartitionFieldOf[]).map(({ source, transform, name }) => `${transform}(${source}) as ${name}`).join(', ')}]`
}

/** @throws `unsupported` code `SCHEMA_CHANGED` with the difference between two codecs of one topic. */
export function checkSameCodec(
  topic: string,
  role: 'value' | 'key',
  stored: Codec | undefined,
  given: Codec | undefined,
): void {
  if (stored === given || (stored && given && identityText(stored) === identityText(given))) return
  const difference = codecDifference(stored, given)
  throw unsupported(
    'SCHEMA_CHANGED',
    `Topic ${topic}: the ${role} schema is not the stored one (${difference}). Changing a topic's schema is not supported yet.`,
    { context: { topic, difference } },
  )
}

function codecDifference(stored: Codec | undefined, given: Codec | undefined): string {
  if (stored === undefined || given === undefined || stored.format !== given.format) {
    return `stored ${stored?.format ?? 'none'}, given ${given?.format ?? 'none'}`
  }
  const registries = [registryText(stored.registry), registryText(given.registry)] as const
  if (registries[0] !== registries[1]) return `registry: stored ${registries[0]}, given ${registries[1]}`
  const was = new Map(stored.schema.fields.map(({ name, type }) => [name, typeText(type)]))
  const is = new Map(given.schema.fields.map(({ name, type }) => [name, typeText(type)]))
  const differences: string[] = []
  for (const [name, type] of was) {
    const now = is.get(name)
    if (now === undefined) differences.push(`field ${name} is missing`)
    else if (now !== type) differences.push(`field ${name}: stored ${type}, given ${now}`)
  }
  for (const [name, type] of is) if (!was.has(name)) differences.push(`field ${name} ${type} is new`)
  if (differences.length > 0) return differences.join('; ')
  return `stored ${stored.definition}, given ${given.definition}`
}

function typeText({ spec, isOptional }: { readonly spec: object; readonly isOptional: boolean }): string {
  return `${JSON.stringify(spec)}${isOptional ? ' optional' : ''}`
}
