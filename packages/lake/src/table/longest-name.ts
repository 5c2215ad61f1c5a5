/**
 * As long as a name below a table's location becomes: that of a manifest list (docs/formats/table.md), after so many attempts as no commit
 * makes. A data file's is shorter, and so is every name that our catalogs give.
 */
export const LONGEST_NAME: string = `metadata/snap-${'9'.repeat(19)}-9999-${'f'.repeat(8)}-ffff-ffff-ffff-${'f'.repeat(12)}.avro`
