import { invalid, nestedFields, shown, SYSTEM_PREFIX } from '@moulin/core'
import type { IcebergType } from '@moulin/core'
import { parseTransform } from '@moulin/iceberg'
import type { TableLayout } from './table-layout.ts'

/** Top-level names under which Spark with Iceberg reads columns of its own, so that it cannot read a table that has one. */
const metadataColumns: ReadonlySet<string> = new Set([
  '_file',
  '_pos',
  '_deleted',
  '_spec_id',
  '_partition',
  '_row_id',
  '_last_updated_sequence_number',
])

/** A column that some engine cannot read, with the reason. */
export interface NameFault {
  readonly column: string
  readonly reason: string
}

/**
 * Refuses names with which an engine could not open the table, or would read one column for another.
 * @throws `invalid` code `COLUMN_NAME`, naming the column.
 */
export function checkColumnNames(layout: TableLayout, topic: string): void {
  const fault = nameFault(layout)
  if (fault === undefined) return
  const { column, reason } = fault
  const message =
    `Topic ${topic}: the table cannot have the column ${shown(column)}: ${reason}. ` +
    "Rename it in the schema, or keep the values as bytes with valueMode 'raw'."
  throw invalid('COLUMN_NAME', message, { context: { topic, column: shown(column) } })
}

/** The first name that an engine cannot take; docs/formats/table.md says which engines these are. */
export function nameFault({ schema, spec, valueFields }: TableLayout): NameFault | undefined {
  for (const { name } of valueFields) {
    const fold = foldCase(name)
    if (fold.startsWith(SYSTEM_PREFIX)) {
      return { column: name, reason: `names that begin with ${SYSTEM_PREFIX}, in any case, are the system columns'` }
    }
    if (metadataColumns.has(name)) return { column: name, reason: 'Iceberg reserves the name for a metadata column' }
  }
  const paths = new Map<string, readonly string[]>()
  const fault = faultBelow({ type: 'struct', fields: schema.fields }, [], paths)
  if (fault !== undefined) return fault
  const unwritable = spec.fields.find(({ name }) => !isText(name))
  if (unwritable === undefined) return undefined
  return { column: unwritable.name, reason: 'this name of a partition field holds NUL or half a surrogate pair' }
}

function faultBelow(
  type: IcebergType,
  parent: readonly string[],
  paths: Map<string, readonly string[]>,
): NameFault | undefined {
  const siblings = new Map<string, string>()
  for (const { name, type: inner } of nestedFields(type)) {
    const path = [...parent, name]
    const column = path.join('.')
    if (!isText(name)) return { column, reason: 'its name holds NUL or half a surrogate pair' }
    const fold = foldCase(name)
    const sibling = siblings.get(fold)
    if (sibling !== undefined) {
      return {
        column,
        reason: `${shown(sibling)} beside it is the same to engines that do not tell upper and lower case`,
      }
    }
    siblings.set(fold, name)
    const other = paths.get(column)
    if (other !== undefined) {
      const both = [other, path].map((names) => `[${names.map((name) => shown(name)).join(', ')}]`).join(' and ')
      return { column, reason: `the paths ${both} are one name once joined with dots` }
    }
    paths.set(column, path)
    const fault = faultBelow(inner, path, paths)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** What to say of a table that all engines open, but not all of them can read whole. */
export function tableWarnings({ schema, spec, valueFields }: TableLayout): readonly string[] {
  const warnings: string[] = []
  const visit = (type: IcebergType, parent: readonly string[]): void => {
    for (const { name, type: inner } of nestedFields(type)) {
      const path = [...parent, name]
      if (inner === 'time') {
        warnings.push(
          `The column ${shown(path.join('.'))} is of type time: Spark cannot read a table with such a column.`,
        )
      }
      if (name.includes('.')) {
        warnings.push(
          `The column ${shown(path.join('.'))} has a dot in its name: PyIceberg reads it, but cannot filter by it.`,
        )
      }
      visit(inner, path)
    }
  }
  visit({ type: 'struct', fields: valueFields }, [])
  for (const field of spec.fields) {
    const source = schema.fields.find(({ id }) => id === field['source-id'])
    const { kind, width } = parseTransform(field.transform)
    if (kind !== 'truncate' || source === undefined || !isNumber(source.type)) continue
    const isWide = source.type === 'int' && width > MAX_EXACT_WIDTH
    const rows = isWide ? 'rows' : `rows with a value within ${width} of the least ${source.type as string}`
    warnings.push(
      `The partition field ${shown(field.name)} truncates ${shown(source.name)} to multiples of ${width}: ` +
        `other engines may miss ${rows}, since their arithmetic has no room there.`,
    )
  }
  return warnings
}

// Iceberg's Java library adds the width to a remainder below it, in 32 bits.
const MAX_EXACT_WIDTH = 2 ** 30

const isNumber = (type: IcebergType): boolean =>
  type === 'int' || type === 'long' || (typeof type === 'string' && type.startsWith('decimal'))

/** DuckDB ends its process over a NUL in the schema of a manifest; half a surrogate pair is no UTF-8. */
const isText = (name: string): boolean => !name.includes('\0') && name.isWellFormed()

/**
 * Two names are the same to Spark if this is: character by character, as Java's `equalsIgnoreCase` compares them, so that
 * ß is not ss, but K is the sign for Kelvin.
 */
function foldCase(name: string): string {
  let fold = ''
  for (const char of name) {
    const upper = char.toUpperCase()
    const one = [...upper].length === 1 ? upper : char
    // A lower case of two characters is a letter and its mark, of which Java takes the letter.
    fold += [...one.toLowerCase()][0]!
  }
  return fold
}
