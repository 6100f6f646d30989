import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import type { TestDaemon } from '../support/daemon.ts'
import { killAll } from '../support/daemon-processes.ts'
import { type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { waitFor } from '../support/wait.ts'
import { type NodeProcesses, processesOfNode } from './processes.ts'
import type { Proxy } from './proxy.ts'

export interface NodeOfWorld extends AsyncDisposable {
  readonly name: string
  readonly daemon: TestDaemon
  readonly toRedis: Proxy
  readonly toDatabase: Proxy
  /** A folder's disk of its own, for the node that has one. */
  readonly disk: NodeDisk | undefined
  /** Starts the daemon and resolves when it can be asked. */
  start(): Promise<void>
  /** KILLs the daemon alone. */
  kill(): Promise<void>
  /** KILLs all there is of the node. */
  killAll(): Promise<void>
  /** Ends the daemon in order. @throws Error when it does not end well */
  stop(): Promise<void>
  /** Has the daemon read its configuration; something else may be away meanwhile. */
  reload(): Promise<void>
  processes(): NodeProcesses
  /** Leaves a process a few open files more than it has. @returns what takes that back */
  limitFiles(pid: number): () => void
  /** Asks until it is done, since something else may be away. */
  insist(what: string, act: () => Promise<unknown>): Promise<void>
}

interface NodeDisk {
  /** Takes all the room there is. @returns what gives it back */
  fill(): () => void
}

interface NodeParts {
  readonly name: string
  readonly daemon: TestDaemon
  readonly toRedis: Proxy
  readonly toDatabase: Proxy
  readonly disk: NodeDisk | undefined
}

/** How long a daemon that was started may take to answer, also on a machine that is busy. */
const START_MS = 120_000
const STOP_MS = 60_000
const SPARE_FILES = 3

/** @param died is told of a daemon that ends though nobody ended it */
export function nodeOf(parts: NodeParts, died: (text: string) => void): NodeOfWorld {
  const { name, daemon } = parts
  /** Of the daemons that were started, the one that is meant to live. */
  let wanted: object | undefined
  const spawn = () => {
    const life = {}
    wanted = life
    void daemon.spawn().then(({ code, signal }) => {
      if (wanted !== life) return
      died(`the daemon of ${name} ended by itself: ${signal ?? `exit ${code}`}`)
      // As a service manager would.
      setTimeout(() => {
        if (wanted === life) spawn()
      }, 500)
    })
  }
  const insist = async (what: string, act: () => Promise<unknown>) => {
    const done = async () => {
      await act()
      return true
    }
    await waitFor(done, { timeoutMs: 60_000, what: `${what} of ${name}` })
  }
  return {
    ...parts,
    async start() {
      spawn()
      await waitFor(async () => (await daemon.status()).pid === daemon.pid, {
        timeoutMs: START_MS,
        what: `the daemon of ${name} can be asked`,
      })
    },
    async kill() {
      wanted = undefined
      await daemon.kill()
    },
    async killAll() {
      wanted = undefined
      await waitFor(() => killAll(daemon.dir) === 0, { what: `nothing of ${name} lives` })
      await daemon.ended
    },
    async stop() {
      wanted = undefined
      const late = setTimeout(() => void daemon.kill(), STOP_MS)
      const { code, signal } = await daemon.stop()
      clearTimeout(late)
      if (code !== 0) died(`the daemon of ${name} did not stop well: ${signal ?? `exit ${code}`}`)
    },
    reload: () => insist('reload', () => daemon.control.reload()),
    processes: () => processesOfNode(daemon),
    limitFiles(pid) {
      const open = readdirSync(`/proc/${pid}/fd`).length
      const before = softLimit(pid)
      limit(pid, String(open + SPARE_FILES))
      return () => limit(pid, before)
    },
    insist,
    async [Symbol.asyncDispose]() {
      wanted = undefined
      await daemon.remove()
    },
  }
}

function softLimit(pid: number): string {
  const args = ['--pid', String(pid), '--nofile', '--noheadings', '--raw', '--output', 'SOFT']
  return execFileSync('prlimit', args, { encoding: 'utf8' }).trim()
}

function limit(pid: number, soft: string): void {
  try {
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:`], { stdio: 'ignore' })
  } catch {
    // It has ended meanwhile.
  }
}

/** A small disk for the data folder of a node; none where nothing may be mounted. */
export function ownDisk(): (NodeDisk & AsyncDisposable & { readonly path: string }) | undefined {
  let disk: SmallDisk
  try {
    disk = smallDisk('48m')
  } catch {
    return undefined
  }
  return {
    path: disk.path,
    fill() {
      const ballast = disk.fill()
      return () => rmSync(ballast, { force: true })
    },
    [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
  }
}
