import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { childrenOf, commandOf, end, until } from './proc.mjs'

/**
 * A daemon of our own in a folder of its own, with the embedded Redis, as a user would run it.
 * @param early called as soon as the process is there; what it returns is waited for too
 */
export async function startTaskd(ctx, ini, early = async () => undefined) {
  const folder = mkdtempSync(join(ctx.folder, 'taskd-'))
  mkdirSync(join(folder, 'conf'))
  const config = join(folder, 'conf', 'cron.ini')
  writeFileSync(config, `[taskd]\nnode = bench\n${ini}`)
  const log = join(folder, 'out.log')
  const out = openSync(log, 'a')
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TASKD_')),
  )
  const begun = performance.now()
  const child = spawn(ctx.taskd, ['start', '-n', '-c', config], {
    stdio: ['ignore', out, out],
    env,
  })
  closeSync(out)
  ctx.onEnd(() => end(child))
  const daemon = new Taskd(child, folder, config, begun)
  try {
    await early(daemon)
    await until('taskd to be ready', () => daemon.ready(), { timeoutMs: 20_000 })
  } catch (error) {
    throw new Error(`taskd did not start: ${readFileSync(log, 'utf8').slice(-2000)}`, {
      cause: error,
    })
  }
  return daemon
}

class Taskd {
  #child

  constructor(child, folder, config, begun) {
    this.#child = child
    this.begun = begun
    this.folder = folder
    this.config = config
    this.redisSocket = join(folder, 'data', 'redis.sock')
    this.redis = new Redis({
      path: this.redisSocket,
      lazyConnect: true,
      replyMapping: 'legacy',
    })
    this.redis.on('error', () => undefined)
  }

  get pid() {
    return this.#child.pid
  }

  async ready() {
    if (this.#child.exitCode !== null) throw new Error('it has left')
    const status = await this.ask('GET', '/status').catch(() => undefined)
    return status?.state === 'running' && status.workers.every(worker => worker.state === 'RUNNING')
  }

  /** One exchange over the control socket. */
  ask(method, path, body) {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
      const socketPath = join(this.folder, 'data', 'taskd.sock')
      const sent = request(
        { socketPath, method, path: `/api${path}`, headers, agent: false },
        response => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', chunk => {
            text += chunk
          })
          response.on('end', () => {
            const value = JSON.parse(text)
            if (response.statusCode < 300) resolve(value)
            else reject(new Error(value.error?.message ?? text))
          })
        },
      )
      sent.once('error', reject)
      sent.end(payload)
    })
  }

  status() {
    return this.ask('GET', '/status')
  }

  async queue(name) {
    return (await this.status()).queues.find(queue => queue.task_key === name)
  }

  pause(...names) {
    return this.ask('POST', '/queues/pause', { names })
  }

  resume(...names) {
    return this.ask('POST', '/queues/resume', { names })
  }

  /** Pids of the worker processes. */
  workers() {
    return childrenOf(this.pid).filter(pid => commandOf(pid).includes('workers/main.js'))
  }

  /** How many tasks of a queue have succeeded and failed; the only look behind the public keys. */
  async finished(name) {
    const base = `{taskd}:${name}`
    const [succeeded, failed] = await Promise.all([
      this.redis.zcard(`${base}:completed`),
      this.redis.zcard(`${base}:failed`),
    ])
    if (failed > 0) throw new Error(`${failed} tasks of ${name} failed`)
    return succeeded
  }

  /** LPUSHes `count` tasks, as any program would. */
  async push(name, task, count) {
    const message = JSON.stringify({ task_key: name, ...task })
    for (let left = count; left > 0; left -= 500)
      await this.redis.lpush(name, ...Array(Math.min(left, 500)).fill(message))
  }

  async stop() {
    this.redis.disconnect()
    await end(this.#child)
  }
}
