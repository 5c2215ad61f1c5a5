import {
  checkOptions,
  invalid,
  option,
  unsupported,
  type Limits,
  type OptionTable,
  type ProducerOptions,
} from '@moulin/core'

const producerTable = ({ maxBatchBytes }: Pick<Limits, 'maxBatchBytes'>): OptionTable<ProducerOptions> => ({
  lingerMs: option.milliseconds(),
  batchBytes: option.integer('bytes', 1, maxBatchBytes),
  maxUnackedBytes: option.positiveBytes,
  compression: option.oneOf('none', 'gzip', 'zstd', 'snappy', 'lz4'),
  id: option.text,
  acks: option.oneOf('local', 'store'),
  feed: option.importUrl,
  threads: option.integer('threads', 1, 1024),
})

/** @throws `invalid` code `OPTION`; `unsupported` for what comes later. */
export function checkProducer(
  options: ProducerOptions,
  { topic, limits }: { readonly topic: string; readonly limits: Pick<Limits, 'maxBatchBytes'> },
): void {
  checkOptions(`Topic ${topic}: producer`, options, producerTable(limits))
  if (options.threads !== undefined && options.feed === undefined) {
    const message = `Topic ${topic}: producer: threads is given without a feed, which they would run; send and sendAll stay on the caller's thread.`
    throw invalid('OPTION', message, { context: { option: 'threads' } })
  }
  if (options.id !== undefined) throw unsupported('PRODUCER_ID', `Topic ${topic}: named producers come later.`)
  if (options.acks !== undefined)
    throw unsupported('PRODUCER_ACKS', `Topic ${topic}: acks is a choice of tandemWal, later.`)
  const compression: string = options.compression ?? 'none'
  if (compression === 'snappy' || compression === 'lz4') {
    const message = `Topic ${topic}: compression ${compression} is not written; use none, gzip or zstd.`
    throw unsupported('COMPRESSION', message)
  }
}
