import { realClock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { FromWorker, ToWorker, WorkerInit } from '../model/ipc.ts'
import { currentOwner, formatOwner } from '../model/owner.ts'
import { createClient } from '../queue/connection.ts'
import { nodeSpawner } from './spawn.ts'
import { TaskWorker } from './worker.ts'

/** The worker process: told over IPC what it is, it works until it is drained or left alone. */

let worker: TaskWorker | undefined
let leaving: Promise<void> | undefined

function send(message: FromWorker): void {
  // The master may be gone; its successor reads the queue, not our messages.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

/** Scripts see the environment of the daemon without taskd's own settings and secrets. */
function scriptEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(TASKD_|NOTIFY_SOCKET$|WATCHDOG_)/.test(name),
  )
  return Object.fromEntries(kept)
}

function begin(init: WorkerInit): void {
  const redis = createClient(init.redisUrl, 'work', init.workerId)
  worker = new TaskWorker({
    init,
    redis,
    owner: formatOwner(currentOwner(init.workerId, init.instance)),
    clock: realClock,
    spawner: nodeSpawner,
    environment: scriptEnvironment(),
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

function leave(waitMs: number): void {
  const drained = worker?.drain(waitMs) ?? Promise.resolve()
  leaving ??= drained.then(
    () => process.exit(),
    () => process.exit(1),
  )
}

function onMessage(message: ToWorker): void {
  switch (message.type) {
    case 'init':
      return begin(message)
    case 'drain':
      return leave(message.waitMs)
    case 'tune':
      return worker?.tune(message.concurrency, message.limits)
    case 'cancel':
      return worker?.cancel(message.id, message.reason)
    case 'usage':
      return worker?.beat(message)
  }
}

process.on('message', onMessage)
// Without a master nobody would restart or count us: finish what runs, and leave.
process.on('disconnect', () => leave(Number.POSITIVE_INFINITY))
process.on('SIGTERM', () => leave(Number.POSITIVE_INFINITY))
process.on('SIGINT', () => leave(Number.POSITIVE_INFINITY))
// HUP is for the master; a terminal that closes sends it to everybody.
process.on('SIGHUP', () => undefined)
