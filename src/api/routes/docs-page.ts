/** The page at /docs: it reads /openapi.json and shows it. No framework, nothing from elsewhere. */

export const DOCS_STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a66c2; }
@media (prefers-color-scheme: dark) { :root { --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem 1.25rem 4rem;
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: .5rem 0; font-size: 1.6rem; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--line); }
h4 { margin: 1rem 0 .25rem; font-size: .95rem; }
p { margin: .5rem 0; }
a { color: var(--accent); }
code, pre { font-family: ui-monospace, monospace; font-size: .875em; }
code { background: var(--soft); padding: .1em .3em; border-radius: 4px; }
pre { background: var(--soft); padding: .75rem; border-radius: 6px; overflow-x: auto;
  overflow-wrap: normal; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
details > div { padding: 0 1rem 1rem; }
summary { padding: .5rem .75rem; cursor: pointer; display: flex; flex-wrap: wrap;
  align-items: baseline; gap: .25rem .75rem; }
summary::before { content: '▸'; opacity: .6; }
details[open] > summary::before { content: '▾'; }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
summary > span:last-child { flex-basis: 14rem; flex-grow: 1; opacity: .8; }
.method { font: 600 .8rem ui-monospace, monospace; width: 4.8em; text-align: center;
  border: 1px solid currentColor; border-radius: 4px; }
.path { font: 600 .95rem ui-monospace, monospace; }
.get { color: #1a7f37; } .post { color: var(--accent); }
.put { color: #9a6700; } .delete { color: #cf222e; }
@media (prefers-color-scheme: dark) {
  .get { color: #57c46f; } .put { color: #d9a441; } .delete { color: #ff7b72; } }
table { width: 100%; border-collapse: collapse; font-size: .925rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-top: 1px solid var(--line); }
th { font-weight: 600; }
td:first-child code { white-space: nowrap; }
@media (max-width: 40rem) {
  table, tbody, tr, td { display: block; } thead { display: none; }
  tr { border-top: 1px solid var(--line); padding: .35rem 0; } td { border: 0; padding: 0; }
  td:nth-child(-n + 3) { display: inline; padding-right: .75rem; }
  td:nth-child(2):last-child, td:nth-child(4) { display: block; } }
`

export const DOCS_SCRIPT = `
'use strict'
const make = (tag, props, ...children) => {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(props || {})) node.setAttribute(name, value)
  node.append(...children.filter(one => one !== undefined && one !== ''))
  return node
}
// \`code\` in a text becomes code; nothing else is markup.
const rich = (tag, text) => make(tag, {}, ...String(text || '').split('\`').map(
  (part, index) => index % 2 ? make('code', {}, part) : part))
let doc
const resolve = schema => schema && schema.$ref
  ? resolve(schema.$ref.slice(2).split('/').reduce((at, key) => at[key], doc)) : schema || {}
const typeOf = written => {
  const schema = resolve(written)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map(one => JSON.stringify(one)).join(' | ')
  const some = schema.anyOf || schema.oneOf || schema.allOf
  if (some) return some.map(typeOf).join(schema.allOf ? ' & ' : ' | ')
  if (schema.type === 'array') return 'list of ' + typeOf(schema.items)
  const name = Array.isArray(schema.type) ? schema.type.join(' | ') : schema.type || 'anything'
  return schema.format ? name + ' (' + schema.format + ')' : name
}
const LIMITS = { minimum: ['at least '], exclusiveMinimum: ['more than '], maximum: ['at most '],
  minLength: ['at least ', ' characters'], maxLength: ['at most ', ' characters'],
  minItems: ['at least ', ' entries'], maxItems: ['at most ', ' entries'], pattern: ['matches '] }
const notes = schema => {
  const found = []
  if (schema.default !== undefined) found.push('default \`' + JSON.stringify(schema.default) + '\`')
  for (const [key, [before, after]] of Object.entries(LIMITS))
    if (schema[key] !== undefined && Math.abs(schema[key]) !== Number.MAX_SAFE_INTEGER)
      found.push(before + '\`' + schema[key] + '\`' + (after || ''))
  return found.join(', ')
}
const table = (heads, rows) => make('table', {},
  make('thead', {}, make('tr', {}, ...heads.map(one => make('th', {}, one)))),
  make('tbody', {}, ...rows.map(row => make('tr', {}, ...row.map(cell => make('td', {}, cell))))))
const fieldRow = (name, where, written, required) => {
  const schema = resolve(written)
  const about = [schema.description || '', notes(schema)].filter(Boolean).join(' · ')
  return [make('code', {}, name), typeOf(written) + (required ? ', needed' : ''), where,
    rich('span', about)]
}
const fieldsOf = operation => {
  const rows = (operation.parameters || []).map(one =>
    fieldRow(one.name, one.in, { description: one.description, ...resolve(one.schema) }, one.required))
  const content = operation.requestBody && operation.requestBody.content
  const body = content ? resolve(content['application/json'].schema) : {}
  const needed = body.required || []
  for (const [name, schema] of Object.entries(body.properties || {}))
    rows.push(fieldRow(name, 'body or query', schema, needed.includes(name)))
  return rows
}
const shape = (written, indent) => {
  const schema = resolve(written)
  const pad = '  '.repeat(indent + 1)
  if (schema.type === 'array') return '[' + shape(schema.items, indent) + ', …]'
  if (schema.properties) return '{\\n' + Object.entries(schema.properties).map(([name, one]) =>
    pad + JSON.stringify(name) + ': ' + shape(one, indent + 1)).join(',\\n') + '\\n' +
    '  '.repeat(indent) + '}'
  return typeOf(schema)
}
const answers = operation => Object.entries(operation.responses).map(([status, one]) => {
  const content = one.content && one.content['application/json']
  const isError = Number(status) >= 400 && content && resolve(content.schema).properties &&
    resolve(content.schema).properties.error
  const cell = make('div', {}, rich('span', one.description))
  if (content && !isError) cell.append(make('pre', {}, shape(content.schema, 0)))
  return [make('code', {}, status), cell]
})
const scopesOf = operation => {
  const all = (operation.security || []).flatMap(one => Object.values(one).flat())
  const scopes = [...new Set(all)].map(one => '\`' + one + '\`')
  return scopes.length === 0 ? 'Open to everybody.' : 'Takes a secret with the scope ' +
    scopes.join(' or ') + '.'
}
const operation = (path, method, one) => {
  const id = one.operationId
  const fields = fieldsOf(one)
  return make('details', { id }, make('summary', {},
    make('span', { class: 'method ' + method }, method.toUpperCase()),
    make('span', { class: 'path' }, path), rich('span', one.summary)),
  make('div', {}, rich('p', one.description), rich('p', scopesOf(one)),
    fields.length ? make('h4', {}, 'Parameters') : '',
    fields.length ? table(['name', 'type', 'in', ''], fields) : '',
    make('h4', {}, 'Answers'), table(['status', ''], answers(one))))
}
const show = () => {
  const main = document.querySelector('main')
  main.replaceChildren(make('h1', {}, doc.info.title + ' ' + doc.info.version),
    rich('p', doc.info.description), make('p', {}, make('a', { href: 'openapi.json' },
      'openapi.json'), ' is the same for programs.'))
  const groups = new Map()
  for (const [path, methods] of Object.entries(doc.paths))
    for (const [method, one] of Object.entries(methods)) {
      const tag = (one.tags || ['Other'])[0]
      groups.set(tag, [...(groups.get(tag) || []), operation(path, method, one)])
    }
  const anchor = tag => tag.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  main.append(make('nav', { 'aria-label': 'Groups' }, ...[...groups.keys()].map(tag =>
    make('a', { href: '#' + anchor(tag) }, tag))))
  for (const [tag, list] of groups) main.append(make('h2', { id: anchor(tag) }, tag), ...list)
  const named = location.hash && document.getElementById(location.hash.slice(1))
  if (named) { named.open = true; named.scrollIntoView() }
}
fetch('openapi.json').then(answer => answer.json()).then(found => { doc = found; show() })
  .catch(error => document.querySelector('main').replaceChildren(
    make('p', {}, 'openapi.json cannot be read: ' + error.message)))
`

export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>taskd: HTTP API</title>
<link rel="icon" href="data:,">
<style>${DOCS_STYLE}</style>
</head>
<body>
<main><p>Reading <a href="openapi.json">openapi.json</a> …</p><noscript>This page needs JavaScript to show <a href="openapi.json">openapi.json</a>.</noscript></main>
<script>${DOCS_SCRIPT}</script>
</body>
</html>
`
