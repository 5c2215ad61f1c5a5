import { countField, stringField, type JsonObject, type Runtime } from '@moulin/core'
import type { EpochOwner } from '../../stored/epoch-claims.ts'

/** The process that this runtime is. */
export function ownerOf({ process }: Runtime): EpochOwner {
  const { bootId, pidSpace, pid, startTime } = process
  return { bootId, pidSpace, pid, startTime }
}

/** @throws `corrupt`. */
export function parseOwner(json: JsonObject, what: string): EpochOwner {
  return {
    bootId: stringField(json, 'bootId', what),
    pidSpace: stringField(json, 'pidSpace', what),
    pid: countField(json, 'pid', what),
    startTime: stringField(json, 'startTime', what),
  }
}
