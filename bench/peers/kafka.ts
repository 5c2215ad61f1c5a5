/**
 * Apache Kafka: one broker in KRaft mode, and its own tool that measures producing, from the jars that Maven Central has, which are
 * kept in `MOULIN_CACHE_DIR` (55 MB). Needs Java 17 or newer and Maven.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { made } from '../../test/interop/cache.ts'
import { freePorts } from '../../test/services/service-process.ts'
import { kafkaFigures } from './kafka-figures.ts'
import type { KafkaFigures } from './kafka-figures.ts'
import { ownChild } from './own-children.ts'
import type { OwnChild } from './own-children.ts'

const run = promisify(execFile)
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const heap = { broker: '1g', tool: '512m' }
const clusterId = 'bW91bGluLWJlbmNoLWthZg'

export interface KafkaOptions {
  /** Is there, and takes all that the broker stores. */
  readonly dir: string
  readonly partitions: number
  /** A sync before every ack; else what it ships with, the page cache. */
  readonly isFlushed: boolean
}

export interface KafkaLoad {
  readonly records: number
  readonly recordBytes: number
  /** Of the records: those that do not count. */
  readonly warmUp: number
  /** Records; undefined: as many as it takes. */
  readonly perSecond?: number
}

export interface Kafka {
  /** Sends to one topic with `acks=all` and the client's defaults. */
  produce(load: KafkaLoad): Promise<KafkaFigures>
  stop(): Promise<void>
}

/** @throws Error with what it said last, where it ends before it has started. */
export async function startKafka({ dir, partitions, isFlushed }: KafkaOptions): Promise<Kafka> {
  const jars = await kafkaJars()
  const [port, controllerPort] = (await freePorts(2)) as [number, number]
  const properties = join(dir, 'server.properties')
  const data = join(dir, 'data')
  await mkdir(data)
  await writeFile(properties, serverProperties({ port, controllerPort, data, partitions, isFlushed }))
  const format = ['format', '--standalone', '--cluster-id', clusterId, '--config', properties]
  await done(java(jars, heap.tool, 'kafka.tools.StorageTool', format))
  const broker = java(jars, heap.broker, 'kafka.Kafka', [properties], ['-server', `-Xms${heap.broker}`])
  if (!(await broker.hasSaid('Kafka Server started')))
    throw new Error(`Kafka ended before it had started: ${broker.said.err.slice(-2_000)}`)
  return {
    async produce(load) {
      const tool = java(jars, heap.tool, 'org.apache.kafka.tools.ProducerPerformance', toolArguments(port, load))
      return kafkaFigures(await done(tool))
    },
    stop: () => broker.kill(),
  }
}

function kafkaJars(): Promise<string> {
  const pom = here('kafka/pom.xml')
  return readFile(pom, 'utf8').then((recipe) =>
    made('kafka', recipe, async (into) => {
      const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime']
      await run('mvn', [...args, `-DoutputDirectory=${into}`], { maxBuffer: 1 << 26 })
    }),
  )
}

function java(jars: string, heapMost: string, main: string, args: readonly string[], flags: readonly string[] = []) {
  const logs = `-Dlog4j2.configurationFile=${here('kafka/log4j2.properties')}`
  return ownChild('java', [...flags, `-Xmx${heapMost}`, logs, '-cp', join(jars, '*'), main, ...args])
}

/** What it says on stdout. */
async function done({ ended, said }: OwnChild): Promise<string> {
  const code = await ended
  if (code !== 0) throw new Error(`A tool of Kafka ended with ${code}: ${(said.err + said.out).slice(-2_000)}`)
  return said.out
}

interface ServerPlaces extends Omit<KafkaOptions, 'dir'> {
  readonly port: number
  readonly controllerPort: number
  readonly data: string
}

function serverProperties({ port, controllerPort, data, partitions, isFlushed }: ServerPlaces): string {
  const [broker, controller] = [`127.0.0.1:${port}`, `127.0.0.1:${controllerPort}`]
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    listeners: `PLAINTEXT://${broker},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${broker},CONTROLLER://${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': controller,
    'log.dirs': data,
    'num.partitions': partitions,
    'offsets.topic.replication.factor': 1,
    ...(isFlushed ? { 'log.flush.interval.messages': 1 } : {}),
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function toolArguments(port: number, { records, recordBytes, warmUp, perSecond = -1 }: KafkaLoad): string[] {
  const options = {
    'bootstrap-server': `127.0.0.1:${port}`,
    topic: 'bench',
    'num-records': records,
    'warmup-records': warmUp,
    'record-size': recordBytes,
    throughput: perSecond,
    'reporting-interval': 600_000,
    'command-property': 'acks=all',
  }
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
}
