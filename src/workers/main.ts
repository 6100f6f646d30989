import { realClock } from '../lib/clock.ts'
import { hideCompileCache } from '../lib/compile-cache.ts'
import { messageOf } from '../lib/errors.ts'
import type { FromWorker, ToWorker, WorkerInit } from '../model/ipc.ts'
import { currentOwner, formatOwner } from '../model/owner.ts'
import { createClient } from '../queue/connection.ts'
import { Orders } from '../queue/orders.ts'
import { withScripts } from '../queue/scripts.ts'
import { scriptEnvironment } from './environment.ts'
import { startLauncher } from './launcher.ts'
import { nodeSpawner } from './spawn.ts'
import { TaskWorker } from './worker.ts'

/** The worker process: told over IPC what it is, it works until it is drained or left alone. */

/**
 * The exit code when the launcher is lost; the master ends what it had started and gives the tasks
 * back.
 */
const LAUNCHER_LOST = 3

hideCompileCache(process.env)

let told: WorkerInit | undefined
let worker: TaskWorker | undefined
let leaving: Promise<void> | undefined

const outgoing: FromWorker[] = []
/** Called once what is in `outgoing` has been sent. */
const sent: (() => void)[] = []

/** How long a message waits for others: a write that wakes the master costs 0.1 ms. */
const COMPANY_MS = 5

function send(message: FromWorker, then?: () => void): void {
  if (then) sent.push(then)
  if (outgoing.push(message) === 1) setTimeout(flush, COMPANY_MS)
}

function flush(): void {
  const messages = outgoing.splice(0)
  const callbacks = sent.splice(0)
  const done = () => {
    for (const callback of callbacks) callback()
  }
  // The master may be gone. Its successor reads the queue, not our messages.
  if (process.connected) process.send?.(messages, undefined, undefined, done)
  else done()
}

async function begin(init: WorkerInit): Promise<void> {
  told = init
  const environment = scriptEnvironment(process.env)
  const launcher = await startLauncher({ environment, onLost: () => process.exit(LAUNCHER_LOST) })
  const redis = withScripts(createClient(init.redisUrl, 'work', init.workerId))
  worker = new TaskWorker({
    init,
    redis,
    owner: formatOwner(currentOwner(init.workerId, init.instance)),
    clock: realClock,
    spawner: launcher ?? nodeSpawner(environment),
    send,
  })
  worker.start().catch((error: unknown) => {
    send({
      type: 'log',
      level: 'error',
      msg: 'worker cannot start',
      fields: { error: messageOf(error) },
    })
    process.exitCode = 1
    leave(0)
  })
}

/** Without a master, cancels of the next master or another node reach us only through Redis. */
function hearOrders(): void {
  if (!told || !worker) return
  const { redisUrl, workerId } = told
  const onCancel = (id: string, reason: string) => worker?.cancel(id, reason)
  new Orders(redisUrl, `${workerId} orders`, { onCancel }).start().catch(() => undefined)
}

function leave(waitMs: number): void {
  const drained = worker?.drain(waitMs) ?? Promise.resolve()
  leaving ??= drained.then(() => exit(0)).catch(() => exit(1))
}

/** Exits once the last messages are sent. */
function exit(code: number): void {
  flush()
  process.exit(process.exitCode ?? code)
}

function onMessage(message: ToWorker): void {
  switch (message.type) {
    case 'init':
      return void begin(message)
    case 'drain':
      return leave(message.waitMs)
    case 'tune':
      return worker?.tune(message.concurrency, message.limits)
    case 'cancel':
      return worker?.cancel(message.id, message.reason)
    case 'confirm':
      return worker?.confirm()
    case 'row':
      return worker?.hearRow(message)
    case 'watch':
      return worker?.watch.watch(message.id)
    case 'unwatch':
      return worker?.watch.unwatch(message.id)
    case 'usage':
      return worker?.beat(message)
  }
}

process.on('message', onMessage)
// Without a master nobody would restart or count us: finish what runs, and leave.
process.on('disconnect', () => {
  hearOrders()
  leave(Number.POSITIVE_INFINITY)
})
process.on('SIGTERM', () => leave(Number.POSITIVE_INFINITY))
process.on('SIGINT', () => leave(Number.POSITIVE_INFINITY))
// HUP is for the master; a terminal that closes sends it to everybody.
process.on('SIGHUP', () => undefined)
