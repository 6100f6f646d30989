import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { realClock } from '../lib/clock.ts'
import { closeInherited } from '../lib/descriptors.ts'
import { messageOf, TaskdError } from '../lib/errors.ts'
import { instanceOf } from '../lib/instance.ts'
import { type Lock, lockFolder } from '../lib/lock.ts'
import { type Logger, openLog } from '../lib/log.ts'
import { currentOwner, formatOwner } from '../model/owner.ts'
import { scriptEnvironment } from '../workers/environment.ts'
import { nodeSpawner } from '../workers/spawn.ts'
import { Agent } from './agent.ts'
import { Http } from './http.ts'
import { Journal } from './journal.ts'
import { endLeftovers } from './leftovers.ts'
import { MasterApi } from './master-api.ts'
import type { AgentOptions } from './options.ts'
import { Patience } from './patience.ts'
import { Reporter } from './reporter.ts'

export type { AgentOptions } from './options.ts'

const EXIT_OK = 0
/** A person has to fix it; systemd is told not to try again. */
const EXIT_REFUSED = 2

const ANSWER_MS = 30_000
/** The master hands out 16 MB of contents at most, and JSON may be somewhat more. */
const MAX_ANSWER_BYTES = 64 << 20
/** For the last reports; what is left waits on disk for the next start. */
const LAST_WORDS_MS = 5000

/**
 * An agent: it works for a queue of a master until it is told to stop.
 * @returns the exit code
 * @throws TaskdError E_DATA_DIR, E_LOCKED
 */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { dataDir, node, master, queue } = options
  closeInherited(process.env)
  const { instance, lock } = await takeFolder(dataDir)
  const root = openLog({ level: options.logLevel, format: options.logFormat })
  const { log } = root
  const http = new Http({
    base: master,
    secret: options.secret,
    ca: options.ca,
    timeoutMs: ANSWER_MS,
    maxBytes: MAX_ANSWER_BYTES,
  })
  try {
    log.info(
      { master: master.host, queue, node, data_dir: dataDir, pid: process.pid },
      'agent starts',
    )
    const clock = realClock
    const journal = await Journal.open(join(dataDir, 'agent.journal'), log)
    await settleLeftovers(journal, instance, log)
    const api = new MasterApi(http, queue)
    const patience = () => new Patience(log, Math.random)
    const reporter = new Reporter({ api, journal, patience: patience(), clock, log })
    const agent = new Agent({
      options,
      api,
      journal,
      reporter,
      patience: patience(),
      spawner: nodeSpawner(scriptEnvironment(process.env)),
      owner: formatOwner(currentOwner(node, instance)),
      clock,
      log,
    })
    obeySignals(agent, log)
    const refused = await agent.work()
    await reporter.stop(LAST_WORDS_MS)
    await journal.close()
    const unsent = journal.reportCount
    if (unsent > 0) log.warn({ reports: unsent }, 'reports wait on disk for the next start')
    if (refused !== undefined) log.fatal(`the master refuses this agent: ${refused}`)
    else log.info('agent stopped')
    return refused === undefined ? EXIT_OK : EXIT_REFUSED
  } finally {
    http.close()
    lock.release()
    await root.flush()
  }
}

async function takeFolder(dataDir: string): Promise<{ instance: string; lock: Lock }> {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o750 })
    const lock = await lockFolder({
      dataDir,
      pidFile: 'agent.pid',
      holder: 'an agent already runs',
      hint: 'end that one, or give this one a folder of its own with --data',
    })
    return { instance: instanceOf(dataDir), lock }
  } catch (error) {
    if (error instanceof TaskdError) throw error
    throw new TaskdError(
      'E_DATA_DIR',
      `cannot use ${dataDir}: ${messageOf(error)}`,
      'make it writable for this user, or name another folder with --data',
    )
  }
}

/** What an agent before this one had in hand when it was killed. */
async function settleLeftovers(journal: Journal, instance: string, log: Logger): Promise<void> {
  const ended = await endLeftovers(instance, realClock)
  const claims = journal.claims.map(({ id, attempt, begun }) => ({ id, attempt, begun }))
  for (const { id, attempt, begun } of claims)
    journal.ended(
      begun
        ? { id, attempt, kind: 'failed', msg: 'its agent died while it ran' }
        : { id, attempt, kind: 'returned', msg: '' },
    )
  const begun = claims.filter(one => one.begun).length
  if (claims.length + ended > 0)
    log.warn(
      { begun, not_begun: claims.length - begun, still_running: ended },
      'an agent before this one was killed; what it had in hand goes back',
    )
}

function obeySignals(agent: Agent, log: Logger): void {
  let asked = 0
  const stop = (signal: string) => {
    asked += 1
    log.info({ signal }, asked === 1 ? 'asked to stop' : 'asked to hurry')
    agent.drain()
    if (asked > 1) agent.hurry()
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  // A terminal that closes sends it to everybody.
  process.on('SIGHUP', () => undefined)
}
