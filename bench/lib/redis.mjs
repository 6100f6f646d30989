import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { end, until, which } from './proc.mjs'

/** A Redis for a peer, set up as taskd sets up its own. */
export async function startRedis(ctx) {
  const folder = mkdtempSync(join(ctx.folder, 'redis-'))
  const socket = join(folder, 'redis.sock')
  const settings = { port: 0, unixsocket: socket, dir: folder, appendonly: 'yes', save: '' }
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)])
  const binary = which('redis-server') ?? which('valkey-server')
  const child = spawn(binary, args, { stdio: 'ignore' })
  ctx.onEnd(() => end(child))
  const client = new Redis({
    path: socket,
    maxRetriesPerRequest: null,
    replyMapping: 'legacy',
    retryStrategy: () => 20,
  })
  client.on('error', () => undefined)
  // It would look for the server, and keep us from our end, for ever.
  ctx.onEnd(() => client.disconnect())
  await until('redis-server', async () => (await client.ping()) === 'PONG')
  return {
    socket,
    client,
    /** A BullMQ queue on it. */
    queue(name) {
      const queue = new Queue(name, { connection: client })
      queue.on('error', () => undefined)
      return queue
    },
    async stop() {
      client.disconnect()
      await end(child)
    },
  }
}
