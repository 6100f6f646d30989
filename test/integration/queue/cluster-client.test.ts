import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, isAway } from '../../../src/queue/connection.ts'
import { type RedisGroup, startCluster } from '../../support/redis-groups.ts'
import { waitFor } from '../../support/wait.ts'

/** By their names, whose addresses have to be looked up: that takes a moment each time. */
const named = (group: RedisGroup) => group.url.replaceAll('127.0.0.1', 'localhost')
const KEYS = ['mail', 'letters', 'async_tasks']
const setAll = (client: Redis) => Promise.all(KEYS.map(key => client.set(key, '1')))

describe('a client of a cluster', () => {
  let group: RedisGroup
  const clients: Redis[] = []
  beforeAll(async () => {
    group = await startCluster()
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await group?.[Symbol.asyncDispose]()
  })
  const clientTo = (purpose: 'work' | 'ask') => {
    const client = createClient(named(group), purpose, 'test')
    clients.push(client)
    return client
  }

  test.each([0, 1, 2, 5, 10, 20])('comes back from a disconnect %i ms before', async ms => {
    const many = Array.from({ length: 10 }, () => clientTo('work'))
    await Promise.all(many.map(setAll))
    await Promise.all(
      many.map(async (client, n) => {
        // As the engine does it, and as the intake does.
        client.disconnect(n % 2 === 1)
        await delay(ms)
        await client.connect().catch(() => undefined)
      }),
    )
    expect(await Promise.all(many.map(setAll))).toHaveLength(10)
    for (const client of many) client.disconnect()
  })

  test('that is disconnected for good ends, whatever it was doing', async () => {
    const idle = clientTo('work')
    idle.disconnect()
    await waitFor(() => idle.status === 'end', { what: 'one that was never connected ends' })
    const connecting = clientTo('work')
    const connected = connecting.connect()
    connected.catch(() => undefined)
    connecting.disconnect()
    await waitFor(() => connecting.status === 'end', { what: 'one that is connecting ends' })
    const used = clientTo('work')
    await setAll(used)
    used.disconnect()
    await waitFor(() => used.status === 'end', { what: 'one that is connected ends' })
    await expect(used.get('mail')).rejects.toThrow('closed')
  })

  test('that works waits for nodes that are gone, one that asks says so within a second', async () => {
    const work = clientTo('work')
    const ask = clientTo('ask')
    await Promise.all([setAll(work), ask.connect().catch(() => undefined)])
    await setAll(ask)
    for (const server of group.servers) await server.kill()
    const waiting = setAll(work)
    for (let n = 0; n < 5; n += 1) {
      const begin = performance.now()
      const failure = await ask.set('mail', '2').catch((error: unknown) => error)
      expect(isAway(failure)).toBe(true)
      expect(performance.now() - begin).toBeLessThan(1500)
    }
    await Promise.all(group.servers.map(server => server.restart()))
    expect(await waiting).toEqual(['OK', 'OK', 'OK'])
    await waitFor(() => setAll(ask), { timeoutMs: 20_000, what: 'it can be asked again' })
    expect(await work.get('mail')).toBe('1')
  })
})
