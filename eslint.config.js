import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const library = ['packages/*/src/**/*.ts']
const tests = ['packages/*/src/**/*.test.ts', 'packages/*/src/**/*.test-*.ts']

const door =
  'Time, randomness and timers come through the runtime door (core/runtime), so that a seed replays everything.'

const syntax = (selector, message) => ({ selector, message })

const shape = [
  syntax('ExportAllDeclaration', 'List the exported names by hand.'),
  syntax('ExportDefaultDeclaration', 'Named exports only.'),
]
const portable = [
  syntax("VariableDeclaration[kind='using']", 'Node 22 does not know `using`; call close() in a finally block.'),
  syntax(
    "VariableDeclaration[kind='await using']",
    'Node 22 does not know `await using`; call close() in a finally block.',
  ),
]
const matchers = [
  syntax(
    "CallExpression[callee.property.name='toMatchObject'] Property > Literal[regex]",
    'To toMatchObject a RegExp is an object without members, which matches anything: expect.stringMatching(…).',
  ),
]
const clock = [
  syntax("NewExpression[callee.name='Date'][arguments.length=0]", door),
  syntax("CallExpression[callee.name='Date']", door),
]
const errors = [
  syntax(
    "NewExpression[callee.name='Error']",
    'Throw a MoulinError: kind, code and outcome tell the caller what to do.',
  ),
  syntax(
    "CallExpression[callee.name='Error']",
    'Throw a MoulinError: kind, code and outcome tell the caller what to do.',
  ),
]

const ambientGlobals = ['setTimeout', 'setInterval', 'setImmediate'].map((name) => ({ name, message: door }))
const ambientProperties = [
  { object: 'Date', property: 'now', message: door },
  { object: 'Math', property: 'random', message: door },
  { object: 'performance', property: 'now', message: door },
  { object: 'crypto', property: 'randomUUID', message: door },
  ...['setTimeout', 'setInterval', 'setImmediate'].map((property) => ({
    object: 'globalThis',
    property,
    message: door,
  })),
]
const ambientImports = [
  { name: 'node:timers', message: door },
  { name: 'node:timers/promises', message: door },
  { name: 'node:perf_hooks', importNames: ['performance'], message: door },
  { name: 'node:crypto', importNames: ['randomUUID', 'randomBytes', 'randomInt'], message: door },
]
const jsonParse = {
  object: 'JSON',
  property: 'parse',
  message: 'It rounds 64-bit ids; use the parser of core/json.',
}

export default defineConfig(
  globalIgnores(['**/dist/', '.cache/', '.node/', 'coverage/', 'lake/', 'docs/api/']),
  tseslint.configs.base,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.lint.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...shape],
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: library,
    rules: {
      'max-lines': ['error', 400],
      // Text of a value that we did not make would be made by members of its own: core's `shown` asks it nothing.
      '@typescript-eslint/no-base-to-string': ['error', { checkUnknown: true }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {
          allowAny: false,
          allowBoolean: true,
          allowNever: true,
          allowNullish: true,
          allowNumber: true,
          allowRegExp: false,
        },
      ],
      'no-restricted-globals': ['error', ...ambientGlobals],
      'no-restricted-imports': ['error', { paths: ambientImports }],
      'no-restricted-properties': ['error', ...ambientProperties, jsonParse],
      'no-restricted-syntax': ['error', ...shape, ...portable, ...clock, ...errors],
    },
  },
  // The doors themselves.
  {
    files: ['packages/core/src/runtime*.ts', 'packages/core/src/system-*.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-properties': ['error', jsonParse],
      'no-restricted-syntax': ['error', ...shape, ...portable, ...errors],
    },
  },
  {
    files: ['packages/core/src/model/json.ts'],
    rules: { 'no-restricted-properties': ['error', ...ambientProperties] },
  },
  {
    files: ['packages/core/src/model/errors.ts'],
    rules: { 'no-restricted-syntax': ['error', ...shape, ...portable, ...clock] },
  },
  // Tests may make up times and errors; they still list their exports and run on Node 22.
  {
    files: tests,
    rules: {
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      'no-restricted-globals': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-syntax': ['error', ...shape, ...portable, ...matchers],
    },
  },
  {
    files: ['test/**/*.test.ts'],
    rules: { 'no-restricted-syntax': ['error', ...shape, ...matchers] },
  },
  // What their tools require to be default exports.
  {
    files: ['*.config.{js,ts}', 'packages/*/*.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
)
