// Copies the marked regions of examples/ into the README, so that its code is code that runs.
//   in an example:  // #region NAME … // #endregion NAME
//   in the README:  <!-- snippet: examples/x.ts#NAME --> … <!-- /snippet -->
// With --check nothing is written and a difference fails.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const documents = ['README.md']
const marker = /(<!-- snippet: (examples\/[\w./-]+\.ts)#([\w-]+) -->\n)[\s\S]*?(<!-- \/snippet -->)/g
const check = process.argv.includes('--check')

const region = (path: string, name: string): string => {
  const lines = readFileSync(path, 'utf8').split('\n')
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`)
  const end = lines.findIndex((line) => line.trim() === `// #endregion ${name}`)
  if (start < 0 || end < start) throw new Error(`${path} has no region ${name}`)
  const body = lines.slice(start + 1, end).filter((line) => !/^\s*\/\/ #(end)?region /.test(line))
  const indents = body.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length)
  const indent = Math.min(...indents)
  return body
    .map((line) => line.slice(indent))
    .join('\n')
    .trim()
}

let snippets = 0
const stale: string[] = []
for (const document of documents.filter((path) => existsSync(path))) {
  const text = readFileSync(document, 'utf8')
  const opened = text.match(/<!-- snippet: /g)?.length ?? 0
  let replaced = 0
  const next = text.replace(marker, (_all, open: string, path: string, name: string, close: string) => {
    replaced++
    return `${open}\`\`\`ts\n${region(path, name)}\n\`\`\`\n${close}`
  })
  if (replaced !== opened) throw new Error(`${document}: ${opened} snippets are opened, ${replaced} are well formed`)
  snippets += replaced
  if (next === text) continue
  stale.push(document)
  if (!check) writeFileSync(document, next)
}

console.log(`snippets: ${snippets}, ${check ? 'stale in' : 'updated in'}: ${stale.join(', ') || 'no document'}`)
if (check && stale.length > 0) {
  console.error('Run `npm run snippets` and commit the result.')
  process.exitCode = 1
}
