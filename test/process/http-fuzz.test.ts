import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import {
  type Arbitrary,
  anything,
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  dictionary,
  integer,
  oneof,
  record,
  string,
} from 'fast-check'
import { expect, test } from 'vitest'
import { startDaemon } from '../support/daemon.ts'

/** The part of JSON Schema that the document is written in. */
interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly minimum?: number
  readonly maximum?: number
}

interface Operation {
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly schema: Schema
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}

const junk = oneof(anything({ withNullPrototype: false }), string({ unit: 'binary' }))

/** Mostly what the schema asks for, so that it gets past the first look; else anything at all. */
function valueOf(schema: Schema, depth = 0): Arbitrary<unknown> {
  return oneof({ weight: 4, arbitrary: rightly(schema, depth) }, { weight: 1, arbitrary: junk })
}

function rightly(schema: Schema, depth: number): Arbitrary<unknown> {
  if (schema.const !== undefined) return constant(schema.const)
  if (schema.enum) return constantFrom(...schema.enum)
  if (schema.anyOf) return oneof(...schema.anyOf.map(one => rightly(one, depth)))
  const type = typeof schema.type === 'string' ? schema.type : schema.type?.[0]
  const { minimum: min = -5, maximum: max = 2 ** 31 } = schema
  if (type === 'integer' || type === 'number')
    return integer({ min: Math.max(min, -(2 ** 31)), max: Math.min(max, 2 ** 31 - 1) })
  if (type === 'boolean') return boolean()
  if (type === 'array')
    return depth > 2
      ? constant([])
      : array(valueOf(schema.items ?? {}, depth + 1), { maxLength: 4 })
  if (type === 'object' && schema.properties) return objectOf(schema.properties, depth)
  if (type === 'object') return dictionary(constantFrom('task_id', 'id', 'a', '__proto__'), junk)
  if (type === undefined) return junk
  // Names that are there, so that more than the 404 is tried.
  const known = constantFrom('crawl', 'crawl', 'a.sh', '1', '2026-01-01')
  return oneof(
    { weight: 2, arbitrary: known },
    { weight: 1, arbitrary: string({ unit: 'binary', maxLength: 40 }) },
  )
}

function objectOf(properties: Readonly<Record<string, Schema>>, depth = 0): Arbitrary<unknown> {
  const fields = Object.entries(properties).map(([name, one]) => [name, valueOf(one, depth + 1)])
  return record(Object.fromEntries(fields) as Record<string, Arbitrary<unknown>>, {
    requiredKeys: [],
  })
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return '{}'
  }
}

/** One request to an operation of the document. */
function requestOf(path: string, method: string, { parameters = [], requestBody }: Operation) {
  const inPath = parameters.filter(one => one.in === 'path')
  const inQuery = parameters.filter(one => one.in === 'query')
  const shape = (some: typeof parameters) =>
    Object.fromEntries(some.map(({ name, schema }) => [name, schema]))
  const body = requestBody?.content['application/json']?.schema.properties ?? {}
  return record({
    path: constant(path),
    method: constant(method.toUpperCase()),
    names: record(Object.fromEntries(inPath.map(({ name, schema }) => [name, rightly(schema, 0)]))),
    query: objectOf({ ...shape(inQuery), ...(method === 'get' ? {} : body) }),
    body: oneof(objectOf(body).map(textOf), array(objectOf(body)).map(textOf), junk.map(textOf)),
    form: boolean(),
    query_only: boolean(),
  })
}

const encoded = (value: unknown) =>
  encodeURIComponent((typeof value === 'string' ? value : textOf(value)).toWellFormed())

function queryOf(fields: unknown): string {
  const pairs = Object.entries(fields as Record<string, unknown>)
  return pairs.map(([name, value]) => `${name}=${encoded(value)}`).join('&')
}

test('junk made from the document is answered by every route of the daemon, and never with 500', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  await using daemon = await startDaemon({
    taskd: { http: `127.0.0.1:${port}`, bin_path: '.' },
    ini: '[queue:crawl]\nmode = pull\n',
  })
  // Nothing of what is handed in shall run.
  await daemon.control.setPaused(['sync_tasks', 'async_tasks'], true)
  using agent = Object.assign(new Agent({ keepAlive: true }), {
    [Symbol.dispose]: () => agent.destroy(),
  })
  const send = async (method: string, path: string, type: string, body: string) => {
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) }
    const options = { host: '127.0.0.1', port, agent, method, path }
    const sent = request(method === 'GET' ? options : { ...options, headers })
    const answered = once(sent, 'response')
    sent.end(method === 'GET' ? undefined : body)
    const [response] = (await answered) as [IncomingMessage]
    const parts = (await response.toArray()) as Buffer[]
    return { status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }
  }
  const { paths } = JSON.parse((await send('GET', '/openapi.json', '', '')).text) as {
    paths: Record<string, Record<string, Operation>>
  }
  const requests = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => requestOf(path, method, operation)),
  )
  expect(requests.length).toBeGreaterThan(3)
  const seen = new Map<number, number>()
  const property = asyncProperty(oneof(...requests), async one => {
    const target = one.path.replaceAll(
      /\{(\w+)\}/g,
      (_all, name: string) => encoded((one.names as Record<string, unknown>)[name]) || 'x',
    )
    const type = one.form ? 'application/x-www-form-urlencoded' : 'application/json'
    const body = one.query_only ? '' : one.body
    const path = `${target}?${queryOf(one.query)}`
    const { status, text } = await send(one.method, path, type, body)
    seen.set(status, (seen.get(status) ?? 0) + 1)
    const where = `${one.method} ${path.slice(0, 200)} ${body.slice(0, 500)} ${text.slice(0, 300)}`
    // The first character says it all, but for what is away.
    expect(`${status === 503 ? 503 : String(status)[0]} ${where}`).toMatch(/^(?:503|2|4) /)
  })
  await assert(property, { numRuns: 4000 })
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 404]))
  expect(daemon.log()).not.toMatch(/failed unexpectedly|EventEmitter memory leak/)
}, 240_000)
