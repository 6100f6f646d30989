import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { codeOf, messageOf } from '../lib/errors.ts'
import { isAlive, type ProcessId, startTimeOf } from '../lib/proc.ts'
import { createClient } from '../queue/connection.ts'
import type { Launch } from '../supervise/managed-program.ts'

const POLL_MS = 5
const STRAY_WAIT_MS = 10_000

export interface EmbeddedRedis {
  readonly url: string
  readonly launch: Launch
}

/**
 * A real redis-server in the data folder: its own unix socket and no port, every write in the
 * append-only file before it is answered (synced each second), never an eviction.
 * @param binary redis-server or valkey-server
 */
export function embeddedRedis(dataDir: string, binary: string, clock: Clock): EmbeddedRedis {
  const dir = join(dataDir, 'redis')
  const socket = join(dataDir, 'redis.sock')
  const pidFile = join(dir, 'redis.pid')
  const settings = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '770',
    dir,
    pidfile: pidFile,
    logfile: join(dataDir, 'log', 'redis.log'),
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    // A queued task is a hash with one long field; packed, it takes a third less.
    'hash-max-listpack-value': '1024',
    'set-proc-title': 'no',
    daemonize: 'no',
  }
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value])
  const url = `unix:${socket}`

  const launch: Launch = listener => {
    let child: ReturnType<typeof spawn> | undefined
    const life = { over: false }
    const begin = async () => {
      mkdirSync(dir, { recursive: true, mode: 0o750 })
      mkdirSync(join(dataDir, 'log'), { recursive: true, mode: 0o750 })
      await endStray(pidFile, dir, clock)
      if (life.over) return
      rmSync(socket, { force: true })
      child = spawn(binary, args, { detached: true, stdio: 'ignore' })
      child.on('error', error => {
        if (child?.pid === undefined) listener.failed(explain(error, binary))
      })
      child.once('exit', (exitCode, signal) => {
        life.over = true
        listener.exited(exitCode, signal)
      })
      if (child.pid === undefined) return
      listener.spawned(child.pid)
      while (!life.over && !(await answers(url))) await clock.sleep(POLL_MS)
      if (!life.over) listener.ready()
    }
    begin().catch((error: unknown) => listener.failed(messageOf(error)))
    return {
      terminate() {
        if (child) {
          child.kill('SIGTERM')
          child.kill('SIGCONT')
        } else {
          life.over = true
          queueMicrotask(() => listener.exited(null, null))
        }
      },
      kill: () => {
        child?.kill('SIGKILL')
      },
    }
  }
  return { url, launch }
}

/** True when the server answers and has its data loaded. */
async function answers(url: string): Promise<boolean> {
  const client = createClient(url, 'ask', 'taskd-wait')
  try {
    await client.connect()
    return (await client.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}

/** Ends the server that a KILLed daemon left: two on one folder would ruin the data. */
async function endStray(pidFile: string, dir: string, clock: Clock): Promise<void> {
  const stray = findStray(pidFile, dir)
  if (!stray) return
  process.kill(stray.pid, 'SIGTERM')
  process.kill(stray.pid, 'SIGCONT')
  const deadline = clock.monotonic() + STRAY_WAIT_MS
  while (isAlive(stray)) {
    if (clock.monotonic() > deadline) process.kill(stray.pid, 'SIGKILL')
    await clock.sleep(POLL_MS)
  }
}

/** The pid in the file, if it still is the server of this folder and not somebody who got its number. */
function findStray(pidFile: string, dir: string): ProcessId | undefined {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'))
    const startTime = startTimeOf(pid)
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    if (startTime === undefined || !command.includes(dir)) return undefined
    return { pid, startTime }
  } catch {
    return undefined
  }
}

function explain(error: Error, binary: string): string {
  if (codeOf(error) !== 'ENOENT') return `cannot start ${binary}: ${messageOf(error)}`
  return `${binary} is not installed: apt-get install redis-server, or set redis = redis://… in [taskd]`
}
