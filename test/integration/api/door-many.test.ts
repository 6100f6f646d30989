import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { waitFor } from '../../support/wait.ts'
import { openDoor } from './open-door.ts'

const CLIENT = fileURLToPath(new URL('many-connections.mjs', import.meta.url))
const MOST = 10_000

/** Where the machine lets a process have fewer files, three quarters of those are as many as can be. */
async function asManyAsCanBe(): Promise<number> {
  const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -Hn'])
  const files = stdout.trim() === 'unlimited' ? Number.POSITIVE_INFINITY : Number(stdout)
  return Math.min(MOST, Math.floor(files * 0.75) - 100)
}

test('10,000 clients keep their connections, and every one of them is answered', async () => {
  const count = await asManyAsCanBe()
  await using door = await openDoor()
  const before = process.memoryUsage.rss()
  const client = spawn(process.execPath, [CLIENT, String(door.port), String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface(client.stdout)[Symbol.asyncIterator]()
  const told = async () => JSON.parse(String((await lines.next()).value)) as object
  expect(await told()).toEqual({ round: 1, answered: count, held: count })
  expect(await told()).toEqual({ round: 2, answered: count, held: count })
  // One more is served at once, as if there were no others.
  const began = performance.now()
  expect((await door.ask('/healthz')).status).toBe(200)
  expect(performance.now() - began).toBeLessThan(1000)
  expect((process.memoryUsage.rss() - before) / count).toBeLessThan(40_000)

  const stopping = performance.now()
  await door.door.stop()
  expect(performance.now() - stopping).toBeLessThan(5000)
  client.stdin.end()
  await once(client, 'exit')
  await waitFor(() => door.door.port === 0, { what: 'it has stopped' })
}, 60_000)
