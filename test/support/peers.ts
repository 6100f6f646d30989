import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newDaemon, type TestDaemon } from './daemon.ts'
import { linesOf } from './daemon-processes.ts'
import { type SupervisedProcess, type Supervisord, startSupervisord } from './supervisord.ts'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait.ts'

/** taskd or supervisord, as somebody sees them who has only their folders, processes and states. */
export interface Peer {
  readonly name: 'supervisord' | 'taskd'
  readonly pid: number
  /** A file that its programs have written to, below `$DAEMON_OF_TEST`. */
  path(file: string): string
  text(file: string): string
  lines(file: string): string[]
  /** By name. */
  processes(): Promise<ReadonlyMap<string, SupervisedProcess>>
  /** Resolves when the process is in one of these states. */
  until(name: string, ...states: string[]): Promise<SupervisedProcess>
  start(name: string): Promise<void>
  stop(name: string): Promise<void>
  /** What it has written to its own standard output and error. */
  log(): string
  /** TERM, and resolves when all has ended. */
  shutDown(): Promise<void>
}

/** Both, with the very same file of programs. */
export interface Peers extends AsyncDisposable {
  readonly supervisord: Peer
  readonly taskd: Peer
  /** The same question to both, at the same time. */
  both<T>(ask: (peer: Peer) => Promise<T> | T): Promise<{ supervisord: T; taskd: T }>
}

export interface PeerPlan {
  /** Sections of programs and groups. */
  readonly conf: string
  /** Beside the file of programs, at `%(here)s`. */
  readonly files?: Readonly<Record<string, string>>
  /** Below `$DAEMON_OF_TEST`, writable for everybody. */
  readonly folders?: readonly string[]
}

/** Starts both on the same programs. */
export async function startPeers({ conf, files = {}, folders = [] }: PeerPlan): Promise<Peers> {
  const shared = tempDir('taskd-peer-')
  // Programs of other users read here, too.
  chmodSync(shared.path, 0o755)
  const include = join(shared.path, 'programs.conf')
  writeFileSync(include, conf)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(shared.path, name), text)

  const daemon = newDaemon({ ini: `[include]\nfiles = ${include}\n` })
  let supervisord: Supervisord | undefined
  const dispose = async () => {
    await Promise.all([daemon.remove(), supervisord?.[Symbol.asyncDispose]()])
    await shared.remove()
  }
  try {
    makeFolders(daemon.dir, folders)
    const [started] = await Promise.all([
      startSupervisord(include, dir => makeFolders(dir, folders)),
      daemon.start(),
    ])
    supervisord = started
    const peers = [peerOf(supervisord), taskdPeer(daemon)] as const
    return {
      supervisord: peers[0],
      taskd: peers[1],
      async both(ask) {
        const [one, other] = await Promise.all([ask(peers[0]), ask(peers[1])])
        return { supervisord: one, taskd: other }
      },
      [Symbol.asyncDispose]: dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

function makeFolders(dir: string, folders: readonly string[]): void {
  chmodSync(dir, 0o755)
  for (const folder of folders) {
    mkdirSync(join(dir, folder))
    chmodSync(join(dir, folder), 0o777)
  }
}

function common(name: Peer['name'], dir: string, list: () => Promise<SupervisedProcess[]>) {
  const processes = async () => new Map((await list()).map(one => [one.name, one]))
  return {
    name,
    path: (file: string) => join(dir, file),
    text: (file: string) => readFileSync(join(dir, file), 'utf8'),
    lines: (file: string) => linesOf(join(dir, file)),
    processes,
    until: (process: string, ...states: string[]) => {
      const what = `${process} is ${states.join(' or ')} under ${name}`
      const inState = async () => {
        const found = (await processes()).get(process)
        if (found && states.includes(found.state)) return found
        throw new Error(`it is ${found?.state}`)
      }
      return waitFor(inState, { timeoutMs: 30_000, what })
    },
  }
}

function peerOf(supervisord: Supervisord): Peer {
  return {
    ...common('supervisord', supervisord.dir, () => supervisord.processes()),
    pid: supervisord.pid,
    start: name => supervisord.startProcess(name),
    stop: name => supervisord.stopProcess(name),
    log: () => supervisord.log(),
    shutDown: () => supervisord.stop(),
  }
}

function taskdPeer(daemon: TestDaemon): Peer {
  const change = async (action: 'start' | 'stop', name: string) => {
    const results = await daemon.control.change(action, [name])
    const failed = results.find(one => !one.ok)
    if (failed) throw new Error(`${name}: ${failed.message}`)
  }
  return {
    ...common('taskd', daemon.dir, async () => {
      const { programs } = await daemon.status()
      // The embedded Redis is nobody's program.
      return programs.filter(one => one.name !== 'redis')
    }),
    pid: daemon.pid,
    start: name => change('start', name),
    stop: name => change('stop', name),
    log: () => daemon.log(),
    shutDown: async () => void (await daemon.stop()),
  }
}
