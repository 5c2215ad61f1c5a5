/** A planted bug: a small change of one source file, and the tests that must notice it. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands exactly once in the file. */
  readonly original: string
  readonly planted: string
  readonly caughtBy: readonly string[]
}

export const mutants: readonly Mutant[] = []
