import { spawn } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const SYSTEM = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a program, or undefined; servers live where an ordinary user's PATH does not look. */
export function which(name) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM]) {
    try {
      const file = join(folder, name)
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here.
    }
  }
  return undefined
}

export async function until(what, condition, { timeoutMs = 30_000, everyMs = 5 } = {}) {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(everyMs)
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Fields of /proc/PID/stat after the name: state, ppid, pgrp, … */
function statOf(pid) {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

export const commandOf = pid => read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim()
export const nameOf = pid => read(`/proc/${pid}/comm`).trim()

export function childrenOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread =>
      read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}

/** Clock ticks of CPU that a process alone has used. */
export const ticksOf = pid =>
  statOf(pid)
    .slice(11, 13)
    .reduce((sum, field) => sum + Number(field), 0)

/** Clock ticks of CPU that a process, its ended children and all its live descendants have used. */
export function treeTicks(pid) {
  const own = statOf(pid)
    .slice(11, 15)
    .reduce((sum, field) => sum + Number(field), 0)
  return childrenOf(pid).reduce((sum, child) => sum + treeTicks(child), own || 0)
}

/** A process with all that it started, and they. */
const treeOf = pid => [pid, ...childrenOf(pid).flatMap(treeOf)]

/** Memory in MB; what is shared is divided among all who have it. */
export function pss(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024
}

/** The same of a process with all that it started: a worker has a launcher. */
export const treePss = pid => treeOf(pid).reduce((sum, one) => sum + pss(one), 0)

/** Memory that a process shares with nobody and that is no file, KB. */
export const anonymous = pid =>
  Number(/^RssAnon:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0)

/** Runs a command to its end; @returns its wall time in ms */
export function timed(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const begun = performance.now()
    const child = spawn(file, args, { stdio: 'ignore', ...options })
    child.once('error', reject)
    child.once('exit', code => resolve({ ms: performance.now() - begun, code }))
  })
}

/** Ends a process that we started, at first politely, and waits until it is gone. */
export async function end(child, patienceMs = 15_000) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  await gone
  clearTimeout(timer)
}
