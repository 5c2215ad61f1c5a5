import { rm } from 'node:fs/promises'
import * as catalogPackage from '@moulin/catalog'
import * as corePackage from '@moulin/core'
import { isKind, isMoulinError } from '@moulin/core'
import * as formatPackage from '@moulin/format'
import * as secondOpinionPackage from '@moulin/format/second-opinion'
import * as gatewayPackage from '@moulin/gateway'
import * as icebergPackage from '@moulin/iceberg'
import * as lakePackage from '@moulin/lake'
import * as logPackage from '@moulin/log'
import * as moulinPackage from 'moulin'
import * as telemetryPackage from 'moulin/opentelemetry'
import * as storagePackage from '@moulin/storage'
import * as azurePackage from '@moulin/storage-azure'
import * as gcsPackage from '@moulin/storage-gcs'
import * as s3Package from '@moulin/storage-s3'
import * as testingPackage from '@moulin/testing'
import { afterAll, describe, expect, it } from 'vitest'
import {
  catalog,
  doors,
  log,
  noFunction,
  parquetFile,
  place,
  producer,
  secondOpinion,
  store,
  topic,
  type Door,
} from './option-doors.ts'

afterAll(() => rm(place, { recursive: true }))

/** The error of a call, whether thrown or rejected; what it opens is closed. */
async function errorOf({ call }: Door, options: unknown): Promise<unknown> {
  try {
    const result = await call(options as never)
    const close = (result as { close?: () => unknown } | undefined)?.close
    if (typeof close === 'function') await close.call(result)
    return undefined
  } catch (error) {
    return error
  }
}

async function refusal(door: Door, options: unknown): Promise<corePackage.MoulinError> {
  const error = await errorOf(door, options)
  expect(isKind(error, 'invalid'), `${door.name} answered ${String(error)}`).toBe(true)
  return error as corePackage.MoulinError
}

describe.each(doors.map((door) => [door.name, door] as const))('%s', (_name, door) => {
  it('takes what it should', async () => {
    const error = await errorOf(door, door.valid)
    expect(isKind(error, 'invalid'), String(error)).toBe(false)
    expect(error === undefined || isMoulinError(error), String(error)).toBe(true)
  })

  it('refuses a name that it does not know', async () => {
    for (const name of ['noSuchOption', '__proto__', 'toString', '']) {
      const { context } = await refusal(door, { ...door.valid, [name]: true })
      expect(context['option']).toBe(name)
    }
    const [known] = Object.keys(door.options) as [string]
    const misspelt = await refusal(door, { ...door.valid, [`${known}x`]: undefined })
    if (known.length > 2) expect(misspelt.message).toContain(`Did you mean ${known}?`)
  })

  it('refuses options that are none', async () => {
    for (const none of [null, 5, 'read-only', [], true]) await refusal(door, none)
  })

  it.each(Object.keys(door.options))('takes undefined for %s as left out', async (name) => {
    const error = await errorOf(door, { ...door.valid, [name]: undefined })
    const isRequired = isKind(error, 'invalid', 'OPTION')
    if (isRequired) expect(error.message).toMatch(/ is missing; it must be /)
    expect(isRequired && !(name in door.valid), String(error)).toBe(false)
  })

  it.each(Object.entries(door.options))('refuses a wrong %s by name', async (name, wrong) => {
    const otherType = wrong === noFunction ? 'a text' : () => true
    for (const value of [NaN, null, otherType, ...wrong]) {
      if (value === null && ['parentSnapshotId', 'expectedSnapshotId'].includes(name)) continue
      // A float's NaN may be looked for.
      if (Number.isNaN(value) && name === 'value') continue
      const { context, code, message } = await refusal(door, { ...door.valid, [name]: value })
      if (code === 'OPTION' || code === 'LIMIT')
        expect(String(context['option'])).toMatch(new RegExp(`^${name}(\\.|$)`))
      expect(message.length).toBeLessThan(600)
    }
  })
})

describe('every function that takes a runtime', () => {
  const takers = doors.filter(({ options }) => 'runtime' in options).map((door) => [door.name, door] as const)

  it.each(takers)('%s has the machine’s own where none is given', async (_name, door) => {
    const { runtime: _, ...others } = door.valid as { readonly runtime?: unknown }
    const error = await errorOf(door, others)
    expect(isKind(error, 'invalid'), String(error)).toBe(false)
  })
})

describe('every public function and method with options', () => {
  /** What looks like options and is not: facts of an error, other functions' limits, the request of a REST call, and the check itself. */
  const apart: ReadonlySet<string> = new Set([
    ...['aborted', 'closed', 'conflict', 'corrupt', 'exhausted', 'exists', 'fenced', 'internal', 'invalid', 'notFound'],
    ...[
      'unavailable',
      'unsupported',
      'checkRoot',
      'checkOptions',
      'storedBytes',
      'newTableMetadata',
      'creationUpdates',
      'withFreshIds',
      'unclaimed',
    ],
    // Takes a text or a function: the test of it is its own.
    'bearer',
    // The store holds them against its own table.
    ...['getIfThere', 'storedText', 'equalityMightMatch'],
    // Adapters hold what they are given against tables of their own.
    ...['bucketStore', 'propertiesAt', 'renewed'],
    // They ask the service, by the options of their adapters.
    ...['s3BucketFacts', 'gcsBucketFacts', 'azureBucketFacts'],
    ...['appendRecordsSection', 'checkBatch', 'readRecords', 'bodySize'],
  ])

  const parametersOf = (work: unknown): string => {
    const text = Function.prototype.toString.call(work)
    let depth = 0
    for (let at = text.indexOf('('); at < text.length; at++) {
      if (text[at] === '(') depth++
      if (text[at] === ')' && --depth === 0) return text.slice(text.indexOf('(') + 1, at)
    }
    return text
  }
  const hasOptions = (work: unknown): boolean =>
    typeof work === 'function' &&
    !/^class\b/.test(Function.prototype.toString.call(work)) &&
    /\b(options|config|request|call|rules?)\b|\{/.test(parametersOf(work))

  const packages = {
    azurePackage,
    catalogPackage,
    corePackage,
    formatPackage,
    gcsPackage,
    gatewayPackage,
    icebergPackage,
    lakePackage,
    logPackage,
    moulinPackage,
    s3Package,
    secondOpinionPackage,
    storagePackage,
    telemetryPackage,
    testingPackage,
  }
  const objects = {
    Log: log,
    Topic: topic,
    Producer: producer,
    ParquetFile: parquetFile,
    SecondOpinion: secondOpinion,
    ObjectStore: store,
    Catalog: catalog,
  }

  it('is walked above', () => {
    const walked = new Set(doors.map(({ name }) => name))
    const found: string[] = []
    for (const exported of Object.values(packages)) {
      for (const [name, work] of Object.entries(exported)) if (hasOptions(work)) found.push(name)
    }
    for (const [type, object] of Object.entries(objects)) {
      const own = {
        ...Object.getOwnPropertyDescriptors(Object.getPrototypeOf(object)),
        ...Object.getOwnPropertyDescriptors(object),
      }
      for (const [name, { value }] of Object.entries(own) as [string, PropertyDescriptor][]) {
        if (name !== 'constructor' && hasOptions(value)) found.push(`${type}.${name}`)
      }
    }
    expect(found.length).toBeGreaterThan(30)
    expect(found.filter((name) => !walked.has(name) && !apart.has(name))).toEqual([])
  })
})
