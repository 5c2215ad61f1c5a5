/** What Kafka's ProducerPerformance says of the records after its warm-up. */
export interface KafkaFigures {
  readonly records: number
  readonly perSecond: number
  /** Whole milliseconds from the send to its ack. */
  readonly p50Ms: number
  readonly p99Ms: number
}

const summary =
  /^(\d+) steady state records sent, ([\d.]+) records\/sec .*?, (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th\.?$/m

/** @throws Error with the text, where its summary is missing. */
export function kafkaFigures(text: string): KafkaFigures {
  const found = summary.exec(text)
  if (found === null) throw new Error(`Kafka's tool gave no summary after its warm-up: ${text.slice(-2_000)}`)
  const [, records, perSecond, p50Ms, , p99Ms] = found.map(Number)
  return { records: records!, perSecond: perSecond!, p50Ms: p50Ms!, p99Ms: p99Ms! }
}
