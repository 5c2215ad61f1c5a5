import {
  checkOptions,
  day,
  formatCaps,
  invalid,
  option,
  unsupported,
  type Codec,
  type Limits,
  type OptionCheck,
  type OptionTable,
  type PartitionFieldOf,
  type TopicConfig,
  type ValueMode,
} from '@moulin/core'
import { identityText, registryText } from '../stored/registry-identity.ts'
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
  /** Of the table's format. */
  readonly formatVersion: 2 | 3
  /** Null: by the amount that waits (60 s or 600 s). */
  readonly freshnessMs: number | null
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly onBadRecord: 'raw'
}

export const onBrokenCheck: OptionCheck = option.oneOf('error', 'restore', 'gap')

const timestampBound: OptionCheck = option.integer('milliseconds, or -1 for no bound,', -1)

const optionTable: OptionTable<TopicConfig> = {
  partitions: { ...option.integer('', 1, formatCaps.maxPartitions), code: 'PARTITIONS' },
  value: option.codecCheck,
  key: option.codecCheck,
  table: option.text,
  partitionBy: option.listOf(
    option.nested<Pick<PartitionFieldOf, 'source' | 'transform' | 'name'>>({
      source: option.required(option.text),
      transform: option.required(option.text),
      name: option.required(option.text),
    }),
  ),
  valueMode: option.oneOf('raw', 'columns', 'columns+raw'),
  rowCrc: option.flag,
  formatVersion: option.oneOf(2, 3),
  freshnessMs: option.milliseconds(1),
  timestampBeforeMaxMs: timestampBound,
  timestampAfterMaxMs: timestampBound,
  onBadRecord: option.oneOf('raw', 'dlq', 'skip', 'stop'),
  onBroken: onBrokenCheck,
}

/** What a config may name, and how. @throws `invalid`. */
export function checkConfig(topic: string, config: TopicConfig<never> | TopicConfig | undefined): void {
  checkOptions(`Topic ${topic}`, config as TopicConfig | undefined, optionTable)
}

/** Fills in the defaults of a config that {@link checkConfig} took. @throws `invalid`, naming the option. */
export function resolveConfig(topic: string, config: TopicConfig<never> | TopicConfig): StoredConfig {
  const { partitions = 1, table = defaultTable(topic), rowCrc = true, freshnessMs, onBadRecord = 'raw' } = config
  checkTableName(table)
  if ((onBadRecord as string) !== 'raw') {
    throw unsupported('BAD_RECORD', `Topic ${topic}: onBadRecord ${onBadRecord} comes later; use raw.`)
  }
  const valueMode = config.valueMode ?? (config.value === undefined ? 'raw' : 'columns')
  if (valueMode !== 'raw' && config.value === undefined) {
    throw invalid('VALUE_MODE', `Topic ${topic}: valueMode ${valueMode} needs a value codec.`)
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
    formatVersion: config.formatVersion ?? 2,
    freshnessMs: freshnessMs ?? null,
    timestampBeforeMaxMs: config.timestampBeforeMaxMs ?? TIMESTAMP_BEFORE_MAX_MS,
    timestampAfterMaxMs: config.timestampAfterMaxMs ?? TIMESTAMP_AFTER_MAX_MS,
    onBadRecord,
  }
}

/** A new topic keeps the limits of the log that makes it; one that exists is read under any. @throws `invalid`. */
export function checkNewConfig(topic: string, { partitions }: StoredConfig, { maxPartitions }: Limits): void {
  if (partitions <= maxPartitions) return
  throw invalid(
    'PARTITIONS',
    `Topic ${topic}: partitions ${partitions} is not in 1 to ${maxPartitions}, the limit maxPartitions.`,
    { context: { topic, partitions, maxPartitions } },
  )
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
  'formatVersion',
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
