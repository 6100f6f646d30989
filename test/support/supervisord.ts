import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { killAll, MARK } from './daemon-processes.ts'
import { findBinary } from './server-process.ts'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait.ts'

/** A process as `supervisorctl status` shows it. */
export interface SupervisedProcess {
  /** `group:process`, or the process alone where both have the same name. */
  readonly name: string
  readonly state: string
  /** 0 when there is none. */
  readonly pid: number
}

/** Debian's supervisord as a child of the test, with a folder and a socket of its own. */
export interface Supervisord extends AsyncDisposable {
  readonly dir: string
  readonly pid: number
  processes(): Promise<SupervisedProcess[]>
  /** Resolves when it has happened. */
  startProcess(name: string): Promise<void>
  stopProcess(name: string): Promise<void>
  /** TERM, and resolves when all has ended. */
  stop(): Promise<void>
  /** All that it has said itself. */
  log(): string
}

const standing = new Set<string>()
process.once('exit', () => {
  for (const dir of standing) killAll(dir)
})

/**
 * @param include the file with the programs
 * @param prepare makes what they need in its folder
 */
export async function startSupervisord(
  include: string,
  prepare: (dir: string) => void,
): Promise<Supervisord> {
  const folder = tempDir('taskd-sv-')
  const dir = folder.path
  const socket = join(dir, 'sv.sock')
  const conf = join(dir, 'supervisord.conf')
  const logFile = join(dir, 'out.log')
  const log = () => readFileSync(logFile, 'utf8')
  writeFileSync(
    conf,
    `[unix_http_server]
file=${socket}
[supervisord]
logfile=${dir}/supervisord.log
pidfile=${dir}/supervisord.pid
childlogdir=${dir}
identifier=peer
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files=${include}
`,
  )
  prepare(dir)
  standing.add(dir)
  const child = launch(conf, dir, logFile)
  const ended = new Promise<void>(done => child.once('exit', () => done()))
  const dispose = async () => {
    child.kill('SIGKILL')
    await ended
    await waitFor(() => killAll(dir) === 0, { what: 'everything of supervisord is gone' })
    standing.delete(dir)
    await folder.remove()
  }
  const all = async () => readProcesses(await call(socket, 'getAllProcessInfo'))
  try {
    await waitFor(async () => child.exitCode !== null || (await all()), {
      what: 'supervisord answers',
      timeoutMs: 30_000,
    })
    if (child.exitCode !== null) throw new Error(`supervisord ended: ${log()}`)
  } catch (error) {
    await dispose()
    throw error
  }
  const act = async (method: string, name: string) => {
    const full = name.includes(':') ? name : `${name}:${name}`
    await call(socket, method, `<string>${full}</string>`, '<boolean>1</boolean>')
  }
  return {
    dir,
    pid: child.pid ?? 0,
    processes: all,
    startProcess: name => act('startProcess', name),
    stopProcess: name => act('stopProcess', name),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
    log,
    [Symbol.asyncDispose]: dispose,
  }
}

function launch(conf: string, dir: string, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a')
  const args = ['--pdeathsig=KILL', '--', findBinary('supervisord'), '-n', '-c', conf]
  const child = spawn('setpriv', args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, [MARK]: dir },
    cwd: dir,
    detached: true,
  })
  closeSync(log)
  return child
}

/** XML-RPC, of which a few words are enough. */
function call(socketPath: string, method: string, ...values: string[]): Promise<string> {
  const params = values.map(value => `<param><value>${value}</value></param>`).join('')
  const name = `<methodName>supervisor.${method}</methodName>`
  const body = `<?xml version="1.0"?><methodCall>${name}<params>${params}</params></methodCall>`
  return new Promise((done, fail) => {
    const headers = { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) }
    const asked = request({ socketPath, path: '/RPC2', method: 'POST', headers }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      answer.once('error', fail)
      answer.once('end', () => {
        const [, fault] = /<fault>.*?<string>(.*?)<\/string>/s.exec(text) ?? []
        if (answer.statusCode === 200 && fault === undefined) done(text)
        else fail(new Error(`${method}: ${fault ?? answer.statusCode}`))
      })
    })
    asked.once('error', fail)
    asked.end(body)
  })
}

function readProcesses(xml: string): SupervisedProcess[] {
  return xml
    .split('<struct>')
    .slice(1)
    .map(struct => {
      const member = (name: string) =>
        new RegExp(`<name>${name}</name>\\s*<value><\\w+>([^<]*)<`).exec(struct)?.[1] ?? ''
      const [group, process] = [member('group'), member('name')]
      return {
        name: group === process ? process : `${group}:${process}`,
        state: member('statename'),
        pid: Number(member('pid')),
      }
    })
}
