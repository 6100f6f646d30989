/** What compose.yaml is made of. */
export type Yaml = string | readonly Yaml[] | { readonly [key: string]: Yaml }

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

/**
 * The part of YAML that a plain file needs: mappings, lists of scalars, plain and double-quoted
 * scalars, remarks on lines of their own. Anything else is refused, so that nothing is read wrongly.
 */
export function readYaml(text: string): Yaml {
  const lines = text
    .split('\n')
    .map((line, at): Line => {
      const content = line.trimStart()
      return { indent: line.length - content.length, text: content.trimEnd(), number: at + 1 }
    })
    .filter(line => line.text !== '' && !line.text.startsWith('#'))
  const [value, rest] = readBlock(lines)
  if (rest.length > 0) throw refused(rest[0], 'is indented as nothing above it')
  return value
}

function readBlock(lines: readonly Line[]): [Yaml, readonly Line[]] {
  const [first] = lines
  if (first === undefined) return ['', lines]
  return first.text.startsWith('- ') ? readList(lines, first.indent) : readMap(lines, first.indent)
}

function readList(lines: readonly Line[], indent: number): [Yaml, readonly Line[]] {
  const values: Yaml[] = []
  let rest = lines
  for (let line = rest[0]; line?.indent === indent; line = rest[0]) {
    if (!line.text.startsWith('- ')) throw refused(line, 'is no part of the list')
    values.push(scalar(line, line.text.slice(2)))
    rest = rest.slice(1)
  }
  return [values, rest]
}

function readMap(lines: readonly Line[], indent: number): [Yaml, readonly Line[]] {
  const values: Record<string, Yaml> = {}
  let rest = lines
  for (let line = rest[0]; line?.indent === indent; line = rest[0]) {
    const [, key, text = ''] = /^([\w.-]+):(?: (.*))?$/.exec(line.text) ?? []
    if (key === undefined) throw refused(line, 'is no key: value')
    if (Object.hasOwn(values, key)) throw refused(line, 'stands there twice')
    rest = rest.slice(1)
    const below = rest[0] !== undefined && rest[0].indent > indent
    if (below && text !== '') throw refused(rest[0], 'goes on below a value')
    if (below) [values[key] = '', rest] = readBlock(rest)
    else values[key] = scalar(line, text)
  }
  return [values, rest]
}

/** What a program that reads YAML would take for something else than a text. */
const MEANS_MORE =
  /^[&*!|>%@`{}[\],?'-]|: | #|^(?:yes|no|on|off|true|false|null|~|\d[\d.]*(?::\d+)*)$/i

function scalar(line: Line, text: string): string {
  const [, quoted] = /^"([^"\\]*)"$/.exec(text) ?? []
  if (quoted !== undefined) return quoted
  if (/^".*"$/.test(text) || (MEANS_MORE.test(text) && !NUMBER.test(text)) || text.includes('\t'))
    throw refused(line, 'is more than this reader knows')
  return text
}

const NUMBER = /^(?:\d+|--?[a-z][\w ]*)$/

function refused(line: Line | undefined, why: string): Error {
  return new Error(`line ${line?.number}: ${line?.text}: ${why}`)
}
