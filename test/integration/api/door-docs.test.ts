import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { BrokerPort } from '../../../src/api/broker-port.ts'
import type { DoorModule } from '../../../src/api/door-routes.ts'
import { flag, integer } from '../../../src/api/fields.ts'
import type { PullPort } from '../../../src/api/pull-port.ts'
import { brokerRoutes } from '../../../src/api/routes/broker.ts'
import { pullRoutes } from '../../../src/api/routes/pull.ts'
import { legacyPullRoutes } from '../../../src/api/routes/pull-legacy.ts'
import type { DataPort } from '../../../src/features/channel/data-port.ts'
import { dataRoutes } from '../../../src/features/channel/data-routes.ts'
import type { EncryptPort } from '../../../src/features/channel/encrypt-port.ts'
import { encryptRoutes } from '../../../src/features/channel/encrypt-routes.ts'
import { channelLegacyRoutes } from '../../../src/features/channel/legacy-routes.ts'
import { relayLegacyRoutes } from '../../../src/features/relay/legacy-routes.ts'
import type { RelayPort } from '../../../src/features/relay/port.ts'
import { relayRoutes } from '../../../src/features/relay/routes.ts'
import type { ChannelSpec, RelaySpec } from '../../../src/model/channel.ts'
import { openDoor } from './open-door.ts'

const example: DoorModule = door => {
  door.add({
    access: ['push', 'read'],
    method: 'post',
    path: '/api/queue/{task_key}/things',
    tag: 'Things',
    summary: 'Puts things on a queue',
    listAs: 'things',
    params: z.object({
      task_key: z.string().min(1).max(64),
      promote: flag().default(false),
      count: integer(1, 500).default(500).describe('How many.'),
      things: z.array(z.record(z.string(), z.unknown())).max(5000).optional(),
    }),
    answers: { 200: { description: 'what was taken', schema: z.object({ taken: z.int() }) } },
    handle: (_params, c) => c.json({ taken: 0 }),
  })
  door.add({
    access: 'read',
    method: 'get',
    path: '/api/queue/{task_key}/things',
    tag: 'Things',
    summary: 'Looks at them',
    params: z.object({ task_key: z.string(), limit: integer(1, 10).default(3) }),
    answers: { 200: { description: 'some' } },
    handle: (_params, c) => c.json([]),
  })
}

interface Operation {
  readonly operationId: string
  readonly security: readonly Record<string, string[]>[]
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema: object }[]
  readonly requestBody?: {
    required?: boolean
    content: Record<string, { schema: Record<string, unknown> }>
  }
  readonly responses: Record<string, { description: string }>
}

async function documentOf(modules: readonly DoorModule[]) {
  await using door = await openDoor({ modules, secrets: { all: 'hush' } })
  const answer = await door.ask('/openapi.json')
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
  return answer.json() as {
    openapi: string
    info: { version: string }
    paths: Record<string, Record<string, Operation>>
    components: { securitySchemes: object }
  }
}

test('the document has each public route with its parameters, secrets and answers', async () => {
  const { openapi, paths, components } = await documentOf([example])
  expect(openapi).toBe('3.1.0')
  expect(Object.keys(components.securitySchemes)).toEqual(['secret', 'bearer'])
  expect(Object.keys(paths)).toEqual([
    '/healthz',
    '/readyz',
    '/metrics',
    '/api/queue/{task_key}/things',
  ])
  const { post, get } = paths['/api/queue/{task_key}/things'] ?? {}
  expect(post?.security).toEqual([
    { secret: ['push'] },
    { bearer: ['push'] },
    { secret: ['read'] },
    { bearer: ['read'] },
  ])
  expect(post?.parameters?.map(one => [one.name, one.in, one.required])).toEqual([
    ['task_key', 'path', true],
  ])
  expect(Object.keys(post?.requestBody?.content ?? {})).toEqual([
    'application/json',
    'application/x-www-form-urlencoded',
  ])
  expect(post?.requestBody?.content['application/json']?.schema).toMatchObject({
    type: 'object',
    properties: {
      promote: { type: 'boolean', default: false },
      count: { type: 'integer', minimum: 1, maximum: 500, default: 500, description: 'How many.' },
      things: { type: 'array', maxItems: 5000 },
    },
  })
  expect(Object.keys(post?.responses ?? {})).toEqual([
    '200',
    '400',
    '401',
    '403',
    '404',
    '413',
    '415',
    '429',
    '431',
    '503',
  ])
  expect(get?.parameters?.map(one => [one.name, one.in])).toEqual([
    ['task_key', 'path'],
    ['limit', 'query'],
  ])
  expect(get?.requestBody).toBeUndefined()
})

test('open routes say that they need no secret, and no two have the same id', async () => {
  const { paths } = await documentOf([example])
  expect(paths['/healthz']?.['get']?.security).toEqual([])
  const ids = Object.values(paths).flatMap(one => Object.values(one).map(two => two.operationId))
  expect(new Set(ids).size).toBe(ids.length)
})

test('the page runs its own script and style, and nothing else', async () => {
  await using door = await openDoor()
  const { text, headers } = await door.ask('/docs')
  const policy = String(headers['content-security-policy'])
  const hash = (body: string) => `'sha256-${createHash('sha256').update(body).digest('base64')}'`
  const [, script = ''] = /<script>(.*)<\/script>/s.exec(text) ?? []
  const [, style = ''] = /<style>(.*)<\/style>/s.exec(text) ?? []
  expect(script.length).toBeGreaterThan(1000)
  expect(policy).toContain(`script-src ${hash(script)};`)
  expect(policy).toContain(`style-src ${hash(style)};`)
  expect(policy).toContain("default-src 'none'")
  expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
})

test('each route says when its body must be there, and how it may be refused', async () => {
  const { paths } = await documentOf([example, pullRoutes({} as PullPort)])
  const post = paths['/api/queue/{task_key}/things']?.['post']
  expect(Object.keys(post?.responses ?? {})).toEqual(expect.arrayContaining(['404', '413', '415']))
  expect(post?.requestBody?.required).toBe(false)
  const get = paths['/api/queue/{task_key}/things']?.['get']
  expect(Object.keys(get?.responses ?? {})).toContain('404')
  expect(Object.keys(get?.responses ?? {})).not.toContain('415')
  expect(Object.keys(paths['/healthz']?.['get']?.responses ?? {})).not.toContain('404')
  // Patterns with flags are none there.
  expect(JSON.stringify(paths)).not.toMatch(/"pattern":"[^"]*\/u"/)
})

test('what must be there makes the body one that must be', async () => {
  const { paths } = await documentOf([brokerRoutes({} as BrokerPort)])
  const post = paths['/api/task/script']?.['post']
  expect(post?.requestBody?.required).toBe(true)
  expect(Object.keys(post?.responses ?? {})).toContain('422')
  expect(post?.parameters?.map(one => [one.in, one.name])).toContainEqual([
    'header',
    'idempotency-key',
  ])
})

const port = new Proxy({}, { get: (_, name) => (name === 'names' ? ['far'] : async () => ({})) })
const specs = {
  channels: [{ name: '1', columns: [], maxRows: 10, legacyPaths: ['/save'] }],
  relays: [{ name: 'r', max: 10, legacyPaths: ['/relay'] }],
} as unknown as { channels: ChannelSpec[]; relays: RelaySpec[] }
/** Everything that the daemon serves. */
const ALL: readonly DoorModule[] = [
  brokerRoutes(port as BrokerPort),
  dataRoutes(port as DataPort),
  encryptRoutes(port as EncryptPort),
  relayRoutes(port as RelayPort),
  pullRoutes(port as PullPort),
  legacyPullRoutes(port as PullPort),
  channelLegacyRoutes(specs.channels, port as DataPort & EncryptPort),
  relayLegacyRoutes(specs.relays, port as RelayPort),
]

test('what the document says of refusals is what each route answers', async () => {
  await using door = await openDoor({ modules: ALL, secrets: { all: 'hush' } })
  const { paths } = (await door.ask('/openapi.json')).json() as {
    paths: Record<string, Record<string, Operation>>
  }
  const said: unknown[] = []
  const found: unknown[] = []
  for (const [path, operations] of Object.entries(paths))
    for (const [name, { responses, requestBody, security }] of Object.entries(operations)) {
      const method = name.toUpperCase()
      const target = path.replaceAll(/\{\w+\}/g, 'x')
      const ask = async (headers: Record<string, string>, body?: string) => {
        const asked = { method, headers: { secret: 'hush', ...headers } }
        return (await door.ask(target, body === undefined ? asked : { ...asked, body })).status
      }
      const says = (status: number) => Object.hasOwn(responses, String(status))
      const isOpen = security.length === 0
      // The old dialect knows 403 for a wrong secret, and has no other word for none.
      const wrong = (await ask({ secret: 'wrong' })) === 200 ? 'open' : 'refused'
      const type = (await ask({ 'content-type': 'text/plain' }, 'x')) === 415
      const size = (await ask({ 'content-length': String(65 << 20) }, 'x')) === 413
      const empty = requestBody?.required === true ? await ask({}) : 400
      found.push([method, path, wrong, type, size, empty])
      said.push([method, path, isOpen ? 'open' : 'refused', says(415), says(413), 400])
      expect([isOpen || says(401), says(431)]).toEqual([true, true])
    }
  expect(found).toEqual(said)
  expect(found.length).toBeGreaterThan(25)
}, 60_000)
