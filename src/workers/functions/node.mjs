/**
 * Runs one function of the tasks folder, in a process of its own: `node node.mjs CALL`, where CALL
 * is the JSON object that function-command.ts makes. What the function returns is written as the
 * last line of standard output.
 */
import { writeSync } from 'node:fs'
import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'

/** The whole answer has to fit into a column of 64 KiB, with what is noted beside it. */
const MAX_ANSWER_BYTES = 60_000
const MESSAGE_CHARACTERS = 1000
/** They become `{}` in JSON, which says nothing of what they hold. */
const HOLLOW = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Generator', 'AsyncGenerator'])
/** What Node says of ES module syntax in a `.js` file that nothing marks as one. */
const MODULE_SYNTAX = /Cannot use import statement|Unexpected token 'export'|await is only valid/

/** What we say ourselves: its trace would tell nobody anything. */
class Refusal extends Error {}

const { file, name, task_key, args, sub_task_id, trace_id, cache } = JSON.parse(process.argv[2])
// As if Node had been given the file itself.
process.argv.splice(1, 2, file)

// Whatever the function puts in their place.
const write = process.stdout.write.bind(process.stdout)
const exit = process.exit.bind(process)
let settled = false
let loaded = false

process.on('uncaughtException', fail)
process.on('beforeExit', () => fail(`${name} waits for a promise that nothing can settle any more`))

try {
  const module = await load()
  loaded = true
  const run = functionOf(module)
  settle(answerOf(await run(task_key, ...JSON.parse(args), { sub_task_id, trace_id })), () =>
    exit(0),
  )
} catch (error) {
  fail(error)
}

async function load() {
  if (!file.endsWith('.ts')) {
    try {
      return await import(pathToFileURL(file).href)
    } catch (error) {
      if (!(error instanceof SyntaxError && MODULE_SYNTAX.test(error.message))) throw error
    }
  }
  const { createJiti } = await import('jiti')
  process.setSourceMapsEnabled(true)
  return createJiti(file, { fsCache: cache ?? false, sourceMaps: true }).import(file)
}

function functionOf(module) {
  const names = Object.keys(module).filter(one => one !== 'module.exports')
  const { default: main } = module
  // What module.exports holds is known by name only where Node could tell from the text.
  const more = typeof main === 'object' && main !== null ? Object.keys(main) : []
  const found = [names.includes(name) && module[name], main, more.includes(name) && main[name]]
  const run = found.find(one => typeof one === 'function')
  if (run) return run
  const all = [...new Set([...names, ...more])]
  const exported = all.filter(one => one !== 'default').join(', ')
  throw new Refusal(`no function ${name} in ${file}; it exports ${exported || 'nothing'}`)
}

/** As JSON: itself when it has a `code`, else the `data` of a success. */
function answerOf(value) {
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (HOLLOW.has(kind)) throw new Refusal(`${name} returned a ${kind}, which JSON cannot hold`)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    throw new Refusal(`${name} returned bytes, which JSON cannot hold: return a text`)
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new Refusal(`${name} returned a ${typeof value}, which JSON cannot hold`)
  const said = typeof value === 'object' && value !== null && !Array.isArray(value)
  const answer =
    said && ['string', 'number', 'boolean'].includes(typeof value.code)
      ? value
      : { code: 'succ', msg: '', data: value ?? null }
  try {
    return bounded(jsonOf(answer), answer)
  } catch (error) {
    throw new Refusal(`${name} returned what JSON cannot hold: ${firstLine(error.message)}`)
  }
}

/** With a BigInt as the number that it is. */
function jsonOf(answer) {
  const mark = `bigint:${crypto.randomUUID()}:`
  const text = JSON.stringify(answer, (_key, value) =>
    typeof value === 'bigint' ? `${mark}${value}` : value,
  )
  return text.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1')
}

function bounded(text, { code, msg }) {
  const bytes = Buffer.byteLength(text)
  if (bytes <= MAX_ANSWER_BYTES) return text
  const told = String(msg ?? '').slice(0, MESSAGE_CHARACTERS)
  const left = `an answer of ${bytes} bytes: its data was left out`
  return JSON.stringify({ code, msg: told || left, data: [] })
}

function fail(error) {
  if (settled) return
  const own = error instanceof Refusal || typeof error === 'string'
  const trace = error instanceof Error ? (error.stack ?? String(error)) : inspect(error)
  const said = error instanceof Error ? plain(error) : typeof error === 'string' ? error : trace
  // Node alone knows the line of a text that is no program, and tells it of what nobody caught.
  const isText = !loaded && error instanceof SyntaxError
  if (!own && !isText) process.stderr.write(`${trace}\n`)
  const where = loaded || own ? '' : ` (while ${basename(file)} was loaded)`
  const msg = `${oneLine(said).slice(0, MESSAGE_CHARACTERS)}${where}`
  settle(JSON.stringify({ code: 'fail', msg, data: [] }), () =>
    isText ? uncaught(error) : exit(1),
  )
}

function plain(error) {
  const bare = error instanceof Refusal || error.name === 'Error'
  return bare ? error.message || 'an Error without a message' : `${error.name}: ${error.message}`
}

/** What jiti says has the place in a second line. */
function oneLine(text) {
  return loaded ? text : text.replaceAll(/\s+/g, ' ')
}

function firstLine(text) {
  return text.split('\n', 1)[0]
}

/** Ends the process as well. */
function uncaught(error) {
  process.removeAllListeners('uncaughtException')
  process.nextTick(() => {
    throw error
  })
}

/** Timers and connections that are still open do not hold the process. */
function settle(text, end) {
  settled = true
  // On a line of its own, whatever the function wrote before.
  const line = `\n${text}\n`
  write(line, error => {
    try {
      // The function has closed standard output, or what stands for it.
      if (error) writeSync(1, line)
    } finally {
      end()
    }
  })
}
