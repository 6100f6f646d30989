import { readFileSync } from 'node:fs'
import { WORKER_VARIABLE } from '../../src/model/ipc.ts'
import type { TestDaemon } from '../support/daemon.ts'

/** Who is who among the processes of a node. */
export interface NodeProcesses {
  readonly workers: readonly { readonly pid: number; readonly worker: string }[]
  readonly launchers: readonly { readonly pid: number; readonly worker: string }[]
  readonly scripts: readonly { readonly pid: number; readonly id: string }[]
  readonly programs: readonly { readonly pid: number }[]
  readonly all: readonly number[]
}

export function processesOfNode(daemon: TestDaemon): NodeProcesses {
  const all = daemon.processes()
  const workers = all.flatMap(({ pid, command }) =>
    command.includes('workers/main') ? [{ pid, worker: workerOf(pid) }] : [],
  )
  const byPid = new Map(workers.map(one => [one.pid, one.worker]))
  return {
    workers,
    launchers: all.flatMap(({ pid, command }) => {
      const worker = /workers\/launcher(?:\.pl)?(?: |$)/.test(command) && byPid.get(parentOf(pid))
      return worker ? [{ pid, worker }] : []
    }),
    scripts: all.flatMap(({ pid, command }) => {
      const id = /ledger\.pl|function\.py/.test(command) && variableOf(pid, 'TASKD_TASK_ID')
      return id ? [{ pid, id }] : []
    }),
    programs: all.filter(({ command }) => command.includes('keeper.pl')),
    all: all.map(one => one.pid),
  }
}

/** The variable is `<instance>/<workerId>`. */
const workerOf = (pid: number) => variableOf(pid, WORKER_VARIABLE).split('/').at(-1) ?? ''

function variableOf(pid: number, name: string): string {
  try {
    const all = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return all.find(one => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
  } catch {
    return ''
  }
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}
