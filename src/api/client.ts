import type { ExtractSchema } from 'hono/types'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'
import { readExactly } from '../lib/json-text.ts'
import { memberOf } from '../model/json-slices.ts'
import type { App } from './app.ts'
import type { Control } from './control.ts'
import type { ErrorBody } from './errors.ts'
import { CONFIG_HEADER, configHeader } from './for-config.ts'
import type { Status } from './status.ts'
import { requestUnix, streamUnix, type UnixRequest, type UnixResponse } from './unix-request.ts'

/** Longer than any answer should take, except a wait: that Redis is away is reported within a second. */
const ANSWER_MS = 15_000

/** Fields that a daemon from before an upgrade does not send. */
const LATER: Pick<Status, 'sql_jobs' | 'channels' | 'relays' | 'notices' | 'sources'> = {
  sql_jobs: { ok: true, error: '', since: '', count: 0, bad: 0 },
  channels: [],
  relays: [],
  notices: [],
  sources: [],
}

/**
 * The daemon behind a unix socket, as if it were here: every call is one request.
 * @param configFile of the daemon that is meant: one that reads another refuses (E_OTHER_CONFIG)
 * Each throws TaskdError: the daemon's own, or E_NO_DAEMON, E_NO_PERMISSION, E_TIMEOUT, E_GONE.
 */
export function createClient(socket: string, timeoutMs = ANSWER_MS, configFile?: string): Control {
  const headers = configFile === undefined ? {} : { [CONFIG_HEADER]: configHeader(configFile) }
  const target = { socket, headers }
  const get = <P extends Path<'$get'>>(path: P, query: Query = {}) =>
    ask<Output<P, '$get'>>({ ...target, timeoutMs, method: 'GET', path: withQuery(path, query) })
  const post = <P extends Path<'$post'>>(path: P, body: Body<P>, signal?: AbortSignal) =>
    ask<Output<P, '$post'>>({
      ...target,
      method: 'POST',
      path,
      body,
      // Waiting for a task takes as long as the task.
      ...(signal ? { signal } : { timeoutMs }),
    })
  return {
    status: async () => {
      const answer = await get('/api/status')
      // First, so that it keeps the order in which people read it.
      return { ...answer, ...LATER, ...answer }
    },
    change: (action, names, by = '') => post(`/api/processes/${action}`, { names: [...names], by }),
    signal: (signal, names) => post('/api/processes/signal', { names: [...names], signal }),
    why: name => get('/api/why', { name }),
    plan: () => get('/api/config/plan'),
    reload: () => post('/api/config/reload', {}),
    shutdown: async options => void (await post('/api/daemon/shutdown', options)),
    drain: () => post('/api/daemon/drain', {}),
    runJob: (job, { wait }, signal) =>
      post('/api/tasks/run', { job, wait }, wait ? signal : undefined),
    push: (request, signal) => post('/api/tasks/push', request, request.wait ? signal : undefined),
    fails: query => get('/api/fails', { ...query }),
    runs: query => get('/api/runs', { ...query }),
    tail: async (name, { lines, follow, stream }, signal) => {
      const query = { name, lines, follow: String(follow), ...(stream && { stream }) }
      const path = withQuery('/api/tail', query)
      const request = { ...target, timeoutMs, method: 'GET', path, signal } as const
      const response = await streamUnix(request).catch((error: unknown) => {
        throw explain(error, request)
      })
      if ('parts' in response) return explained(response.parts, request)
      answerOf(response, socket)
      throw new TaskdError('E_INTERNAL', `HTTP status ${response.status}`)
    },
    retry: id => post('/api/tasks/retry', { unique_task_id: id }),
    cancel: id => post('/api/tasks/cancel', { unique_task_id: id }),
    setPaused: (names, paused) =>
      post(paused ? '/api/queues/pause' : '/api/queues/resume', { names: [...names] }),
    testNotify: name => post('/api/notify/test', { name }),
    scale: (name, count) => post('/api/queues/scale', { name, count }),
    // A hundred thousand tasks take longer than an answer should.
    backfill: (request, signal) => post('/api/jobs/backfill', request, signal),
    cursor: name => get('/api/jobs/cursor', { name }),
    setCursor: (job, request) => post('/api/jobs/cursor', { job, ...request }),
    listSqlJobs: () => get('/api/sql-jobs'),
    addSqlJob: row => post('/api/sql-jobs/add', row),
    changeSqlJob: change => post('/api/sql-jobs/change', change),
    sqlJobHistory: query => get('/api/sql-jobs/history', { ...query }),
  }
}

type Routes = ExtractSchema<App>
type Method = '$get' | '$post'
type Path<M extends Method> = {
  [P in keyof Routes]: M extends keyof Routes[P] ? P : never
}[keyof Routes] &
  string
type Endpoint<P extends keyof Routes, M extends Method> = M extends keyof Routes[P]
  ? Routes[P][M]
  : never
type Output<P extends keyof Routes, M extends Method> =
  Endpoint<P, M> extends { output: infer O } ? O : never
type Body<P extends keyof Routes> =
  Endpoint<P, '$post'> extends { input: { json: infer B } } ? B : Record<string, never>
type Query = Readonly<Record<string, string | number>>

function withQuery(path: string, query: Query): string {
  const pairs = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}

async function ask<T>(request: UnixRequest): Promise<T> {
  const response = await requestUnix(request).catch((error: unknown) => {
    throw explain(error, request)
  })
  return answerOf(response, request.socket) as T
}

/** @throws TaskdError what the daemon answered, when it is an error */
function answerOf({ status, text }: UnixResponse, socket: string): unknown {
  const answer = read(text)
  if (answer === undefined)
    throw new TaskdError(
      'E_NOT_TASKD',
      `what listens on ${socket} is not taskd (HTTP status ${status})`,
      'look at socket in [taskd]',
    )
  if (status < 400) return answer
  const { error } = answer as Partial<ErrorBody>
  throw new TaskdError(error?.code ?? 'E_INTERNAL', error?.message ?? `HTTP status ${status}`)
}

async function* explained(
  parts: AsyncIterable<Uint8Array>,
  request: UnixRequest,
): AsyncGenerator<Uint8Array> {
  try {
    yield* parts
  } catch (error) {
    if (request.signal?.aborted) return
    throw explain(error, request)
  }
}

function read(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    // What a script answered: its numbers keep every digit.
    const data = Object.hasOwn(value, 'data') ? memberOf(text, 'data') : undefined
    return data === undefined ? value : { ...value, data: readExactly(data) }
  } catch {
    return undefined
  }
}

function explain(error: unknown, { socket, timeoutMs = 0, signal }: UnixRequest): unknown {
  if (signal?.aborted) return error
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new TaskdError(
        'E_NO_DAEMON',
        `no daemon here: nobody listens on ${socket}`,
        'start it with taskd start, or name its configuration with -c',
      )
    case 'EACCES':
    case 'EPERM':
      return new TaskdError(
        'E_NO_PERMISSION',
        `no permission to use ${socket}`,
        "run this as the daemon's user, or join the socket's group",
      )
    case 'ETIMEDOUT':
    case 'EAGAIN':
      return new TaskdError(
        'E_TIMEOUT',
        `taskd did not answer within ${timeoutMs / 1000} s on ${socket}`,
        'try again, and look at its log',
      )
    case 'ECONNRESET':
    case 'EPIPE':
      return new TaskdError(
        'E_GONE',
        'taskd went away before it answered',
        'taskd status shows whether it is back',
      )
    default:
      return new TaskdError('E_CONNECT', `cannot use ${socket}: ${messageOf(error)}`)
  }
}
