import { expect, test } from 'vitest'
import { kafkaFigures } from '../../bench/peers/kafka-figures.ts'

const whole =
  '600000 records sent, 41201.7 records/sec (7.86 MB/sec), 410.31 ms avg latency, 1203.00 ms max latency, 380 ms 50th, 800 ms 95th, 1001 ms 99th, 1190 ms 99.9th.'
const steady =
  '400000 steady state records sent, 51870.3 records/sec (9.89 MB/sec), 390.02 ms avg latency, 902.00 ms max latency, 377 ms 50th, 640 ms 95th, 702 ms 99th, 888 ms 99.9th.'

test('what Kafka measured after its warm-up is taken, not the whole', () => {
  expect(kafkaFigures(`${whole}\n${steady}\n`)).toEqual({
    records: 400_000,
    perSecond: 51870.3,
    p50Ms: 377,
    p99Ms: 702,
  })
})

test('a run without such a summary is no figure', () => {
  expect(() => kafkaFigures(`${whole}\n`)).toThrow('1001 ms 99th')
})
