import type { Parsed } from '../lib/parsed.ts'
import { wrongName } from './bin-name.ts'
import { buildQuery } from './http-build-query.ts'
import type { Call } from './job.ts'
import { taskKeyOf } from './sql-job.ts'
import type { Task } from './task.ts'
import { DEFAULT_PRIORITY, type Fields, Refused, readTimes, text } from './task-fields.ts'

/** The methods that an rpc task may have. */
export const RPC_METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const
export type RpcMethod = (typeof RPC_METHODS)[number]

const MAX_URL_BYTES = 8192

/** The `controller` in the rows of such tasks: the route that they came in by. */
const CONTROLLERS = { bin: 'api/task/script', rpc: 'api/task/rpc' } as const

type BrokerCall = Extract<Call, keyof typeof CONTROLLERS>

/** How the task of a row of fail_log was carried out. */
export function callOfRow(row: Pick<Task, 'controller'> & Partial<Pick<Task, 'job'>>): {
  readonly call?: Call
} {
  // Its row of `task` is gone; otherwise its job would tell.
  if (row.job !== undefined && taskKeyOf(row.job) !== undefined) return { call: 'function' }
  if (row.controller === CONTROLLERS.bin) return { call: 'bin' }
  return row.controller === CONTROLLERS.rpc ? { call: 'rpc' } : {}
}

/** A file in bin_path with a list of arguments: `bin_name`, `args`, and the times. */
export function parseBinTask(fields: Fields, taskKey: string, id: string): Parsed<Task> {
  return parsed(() => {
    const script = text(fields, 'bin_name')
    const wrong = wrongName(script)
    if (wrong !== undefined) throw new Refused(`"bin_name" ${wrong}`)
    const param = unquoted(text(fields, 'args'))
    return { script, function: '', param, ...common('bin', fields, taskKey, id) }
  })
}

/** An HTTP request: `method`, `url`, `args`, and the times. */
export function parseRpcTask(fields: Fields, taskKey: string, id: string): Parsed<Task> {
  return parsed(() => {
    const method = text(fields, 'method').toUpperCase()
    if (!isMethod(method)) throw new Refused(`"method" is none of ${RPC_METHODS.join(', ')}`)
    const url = unquoted(text(fields, 'url'))
    const target = parseRpcUrl(url)
    if (!target.ok) throw new Refused(`"url" ${target.reason}`)
    const param = unquoted(jsonText(fields['args']))
    const request = rpcRequest(method, url, param)
    if (!request.ok) throw new Refused(`"args" ${request.reason}`)
    return { script: url, function: method, param, ...common('rpc', fields, taskKey, id) }
  })
}

function parsed(read: () => Task): Parsed<Task> {
  try {
    return { ok: true, value: Object.freeze(read()) }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.message }
    throw error
  }
}

function common(call: BrokerCall, fields: Fields, taskKey: string, id: string) {
  const controller = CONTROLLERS[call]
  const times = readTimes({ ...fields, max_run_time: limitOf(fields) })
  return { call, id, taskKey, controller, job: '', priority: DEFAULT_PRIORITY, ...times }
}

/** The broker that this replaces took 0 as "no limit given", like a missing value. */
function limitOf(fields: Fields): unknown {
  const { max_run_time: given } = fields
  return Number(given) === 0 && typeof given !== 'object' ? undefined : given
}

/** One pair of quotes around the whole, which a shell would have taken away. */
function unquoted(value: string): string {
  const trimmed = value.trim()
  return trimmed.length > 1 && trimmed.startsWith("'") && trimmed.endsWith("'")
    ? trimmed.slice(1, -1)
    : trimmed
}

function isMethod(text: string): text is RpcMethod {
  return (RPC_METHODS as readonly string[]).includes(text)
}

/** In a JSON body, `args` may be JSON itself instead of text. */
function jsonText(args: unknown): string {
  const written = typeof args === 'object' && args !== null ? JSON.stringify(args) : args
  return text({ args: written }, 'args')
}

/** Checks the form of the URL; rpc-allow.ts decides whether its address may be called. */
export function parseRpcUrl(text: string): Parsed<URL> {
  const no = (reason: string) => ({ ok: false, reason }) as const
  if (text === '') return no('is missing: what to ask')
  if (/\p{Cc}/u.test(text)) return no('has control characters')
  if (Buffer.byteLength(text) > MAX_URL_BYTES) return no(`is longer than ${MAX_URL_BYTES} bytes`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return no('is not a whole URL that begins with http:// or https://')
  if (url.username !== '' || url.password !== '')
    return no('has a user or password in it, which would be seen wherever the task is')
  return { ok: true, value: url }
}

/**
 * The request that a task means: POST and PUT send their JSON as the body; for GET and DELETE,
 * where a body means nothing, its values go into the query as PHP's http_build_query writes them.
 */
export function rpcRequest(
  method: string,
  url: string,
  json: string,
): Parsed<{ readonly method: string; readonly url: URL; readonly body: string }> {
  const no = (reason: string) => ({ ok: false, reason }) as const
  const target = parseRpcUrl(url)
  if (!target.ok) return target
  if (json === '') return { ok: true, value: { method, url: target.value, body: '' } }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return no('is not JSON')
  }
  if (method === 'POST' || method === 'PUT')
    return { ok: true, value: { method, url: target.value, body: json } }
  if (typeof value !== 'object' || value === null)
    return no(`is no JSON object, and for ${method} it makes the query`)
  const query = buildQuery(value)
  if (!query.ok) return no('is nested too deep for a query')
  const whole = new URL(target.value)
  whole.search = [whole.search.slice(1), query.value].filter(part => part !== '').join('&')
  return { ok: true, value: { method, url: whole, body: '' } }
}
