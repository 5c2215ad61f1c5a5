import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { priceTables } from '@moulin/storage'
import { storageOf, withStorageFlag } from './cli-place.ts'
import type { PlaceFlags } from './cli-place.ts'
import { jsonLine } from './cli-values.ts'
import { doctor } from './doctor.ts'
import type { DoctorOptions } from './doctor.ts'
import { doctorLines } from './doctor-lines.ts'
import type { Fitness } from './doctor-report.ts'
import type { Stoppable } from './stoppable.ts'

interface DoctorFlags
  extends Pick<PlaceFlags, 'storage'>, Pick<DoctorOptions, 'prefix' | 'yes' | 'prices' | 'samples'> {
  readonly rate?: number
  readonly recordBytes: number
  readonly json?: boolean
}

const statusOf: Readonly<Record<Fitness, number>> = { fit: 0, 'fit with warnings': 1, 'not fit': 2 }

/** Adds the command `doctor`. */
export function addDoctor(
  program: Command,
  output: {
    line(text: string): void
    note(sentence: string): void
    exitWith(status: number): void
    readonly stoppable: Stoppable
  },
): void {
  withStorageFlag(program.command('doctor'))
    .description(
      'whether a place is fit for a log: what its store really does, how fast it is, what it costs; exit status 1 with warnings, 2 if it is not fit. Writes below log/probe and takes that away again',
    )
    .argument('<place>', 'a folder, s3://bucket/prefix, gs://… or az://account/container/…; a log or not')
    .option('--prefix <prefix>', 'write below this instead of log/probe/')
    .option('--yes', 'also where something lies that is no log')
    .option('--rate <records>', 'estimate requests and money of a month of so many records a second', positive)
    .option('--record-bytes <bytes>', 'bytes of a record, for --rate', positive, 1_000)
    .option('--prices <table>', `for --rate: ${Object.keys(priceTables).join(', ')} or none; default: by the URL`)
    .option('--samples <calls>', 'measure so many calls of each operation', positive, 20)
    .option('--json', 'the report as one JSON object')
    .action(async (place: string, { rate, recordBytes, json, storage, ...options }: DoctorFlags) => {
      const report = await output.stoppable(async (signal) =>
        doctor(place, {
          ...options,
          ...(storage === undefined ? {} : { storage: await storageOf({ storage }) }),
          ...(rate === undefined ? {} : { load: { rate, recordBytes } }),
          ...(signal === undefined ? {} : { signal }),
          onProgress: (what) => output.note(`doctor: ${what}`),
        }),
      )
      if (json) output.line(jsonLine(report))
      else doctorLines(report).forEach(output.line)
      output.exitWith(statusOf[report.fitness])
    })
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('It must be a positive number.')
  return value
}
