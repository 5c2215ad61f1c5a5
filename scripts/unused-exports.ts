/**
 *     npm run unused-exports
 *
 * Lists, entry by entry, what a package exports and nobody outside of it names: no other package, test, bench, example or page of the
 * docs. A row is a place to look, no verdict: a type in a door's signature stands here as well, until somebody writes an adapter.
 */
import { globSync, readFileSync } from 'node:fs'

const exported = /^export (?:type )?\{([^}]*)\}/gm
const imported = /(?:import|export) (?:type )?\{([^}]*)\} from '((?:@moulin\/|moulin)[^']*)'/g

const namesIn = (list: string): string[] =>
  list
    .replaceAll(/\/\/.*$/gm, '')
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '')

const files = globSync('{packages/*/{src,examples},examples,test,bench,scripts,docs}/**/*.{ts,md}', {
  exclude: (path) => path.includes('node_modules'),
})
/** By entry: what is imported from it, by which packages; '' for what is no package. */
const users = new Map<string, Map<string, Set<string>>>()
/** Names of code that the docs tell. */
const told = new Set<string>()
for (const file of [...files, 'README.md', ...globSync('packages/*/README.md')]) {
  const owner = file.startsWith('packages/') ? file.split('/')[1]! : ''
  const text = readFileSync(file, 'utf8')
  const note = (entry: string, name: string): void => {
    const names = users.get(entry) ?? new Map<string, Set<string>>()
    users.set(entry, names)
    names.set(name, (names.get(name) ?? new Set()).add(owner))
  }
  for (const [, list, entry] of text.matchAll(imported)) {
    for (const name of namesIn(list!)) note(entry!, name.split(' as ')[0]!.trim())
  }
  for (const [, list, entry] of text.matchAll(/\{([^}]*)\} = await import\('((?:@moulin\/|moulin)[^']*)'\)/g)) {
    for (const name of namesIn(list!)) note(entry!, name.split(':')[0]!.trim())
  }
  for (const [, alias, entry] of text.matchAll(/import \* as (\w+) from '((?:@moulin\/|moulin)[^']*)'/g)) {
    for (const [, name] of text.matchAll(new RegExp(`\\b${alias}\\.(\\w+)`, 'g'))) note(entry!, name!)
  }
  if (file.endsWith('.md')) for (const [, name] of text.matchAll(/`(\w+)[`(]/g)) told.add(name!)
}

for (const manifest of globSync('packages/*/package.json').sort()) {
  const { name, exports } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    name: string
    exports: Record<string, { 'moulin-source'?: string }>
  }
  const owner = manifest.split('/')[1]!
  for (const [path, { 'moulin-source': source }] of Object.entries(exports)) {
    if (source === undefined) continue
    const entry = name + path.slice(1)
    const text = readFileSync(`packages/${owner}/${source}`, 'utf8')
    const names = [...text.matchAll(exported)].flatMap(([, list]) => namesIn(list!))
    const known = users.get(entry)
    const unused = names.filter((each) => {
      const name = each.split(' as ').at(-1)!.trim()
      return !told.has(name) && [...(known?.get(name) ?? [])].every((user) => user === owner)
    })
    console.log(`${entry}: ${names.length} names, ${unused.length} without a user outside`)
    if (unused.length > 0) console.log(`  ${unused.join(', ')}`)
  }
}
