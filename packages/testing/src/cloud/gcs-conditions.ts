import { gcsRefusal } from './gcs-answers.ts'
import type { GcsSettings } from './gcs-options.ts'
import type { Condition, FakeObject } from './object-bucket.ts'

type Query = ReadonlyMap<string, string>

/**
 * The preconditions of a write or a delete, judged by what is there in the step that writes. Generation 0 stands for no object.
 * @param of `Source`: those of a copy's source.
 * @throws the refusal `invalid` for what is no generation.
 */
export function gcsCondition(
  query: Query,
  { ignoreConditions }: Pick<GcsSettings, 'ignoreConditions'>,
  of: '' | 'Source' = '',
): Condition {
  const checks = checksOf(query, of)
  if (ignoreConditions) return () => {}
  return (present) => {
    if (failed(checks, present) !== undefined) throw unmet()
  }
}

/** Of a read: false where nothing is told, for nothing has changed. @throws the refusal `conditionNotMet`. */
export function isChanged(query: Query, present: FakeObject): boolean {
  const found = failed(checksOf(query), present)
  if (found === undefined) return true
  if (found.isNot) return false
  throw unmet()
}

interface Check {
  readonly of: 'generation' | 'metageneration'
  readonly isNot: boolean
  readonly value: number
}

function checksOf(query: Query, of: '' | 'Source' = ''): readonly Check[] {
  const checks: Check[] = []
  for (const which of ['generation', 'metageneration'] as const)
    for (const isNot of [false, true]) {
      const name = `if${of}${which === 'generation' ? 'Generation' : 'Metageneration'}${isNot ? 'Not' : ''}Match`
      const text = query.get(name)
      if (text === undefined) continue
      if (!/^\d{1,19}$/.test(text)) throw gcsRefusal('invalidParameter', `Invalid value for ${name}: ${text}`)
      checks.push({ of: which, isNot, value: Number(text) })
    }
  return checks
}

function failed(checks: readonly Check[], present: FakeObject | undefined): Check | undefined {
  return checks.find(({ of, isNot, value }) => ((present?.[of] ?? 0) === value) === isNot)
}

function unmet(): Error {
  return gcsRefusal('conditionNotMet', 'At least one of the pre-conditions you specified did not hold.')
}
