// Checks every import of packages/*/src against the arrows in boundaries.ts, and that no files import each other in a
// circle; prints what is undrawn or circles, and fails.
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'
import { violation } from './boundaries.ts'
import { circlesOf } from './import-circles.ts'

const dependenciesOf = (owner: string): ReadonlySet<string> => {
  const manifest = JSON.parse(readFileSync(`packages/${owner}/package.json`, 'utf8')) as Record<
    string,
    object | undefined
  >
  return new Set([...Object.keys(manifest['dependencies'] ?? {}), ...Object.keys(manifest['peerDependencies'] ?? {})])
}

const dependencies = new Map<string, ReadonlySet<string>>()
const complaints: string[] = []
/** By file: the files of its package that it imports. */
const within = new Map<string, string[]>()
let imports = 0

const files = globSync('packages/*/src/**/*.ts').sort()
for (const file of files) {
  const owner = file.split('/')[1] ?? ''
  const declared = dependencies.get(owner) ?? dependenciesOf(owner)
  dependencies.set(owner, declared)
  const text = readFileSync(file, 'utf8')
  const own: string[] = []
  within.set(file, own)
  // Without JavaScript's own forms: a method called `require` is none of them, and these modules have no other.
  for (const { fileName, pos } of ts.preProcessFile(text, true, false).importedFiles) {
    imports++
    if (fileName.startsWith('.')) own.push(posix.join(posix.dirname(file), fileName))
    const why = violation(file, fileName, declared)
    if (why === undefined) continue
    const line = text.slice(0, pos).split('\n').length
    complaints.push(`${file}:${line}: '${fileName}': ${why}`)
  }
}

for (const circle of circlesOf(within)) complaints.push(`these files import each other: ${circle.join(', ')}`)

if (complaints.length > 0) {
  console.error(complaints.join('\n'))
  process.exitCode = 1
}
console.log(`boundaries: ${imports} imports in ${files.length} files, ${complaints.length} forbidden`)
