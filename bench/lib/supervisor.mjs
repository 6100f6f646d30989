import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childrenOf, end, nameOf, until, which } from './proc.mjs'

/** `count` programs that do nothing; supervisord and taskd read the same lines. */
export function sleepers(count, keys = 'startsecs=0') {
  return Array.from(
    { length: count },
    (_, n) => `[program:sleeper${n}]\ncommand=sleep infinity\nautorestart=true\n${keys}\n`,
  ).join('')
}

export const sleepersOf = pid => childrenOf(pid).filter(child => nameOf(child) === 'sleep')

/** A supervisord of our own that runs `sleep infinity`; undefined when it is not installed. */
export async function startSupervisor(ctx, count = 1) {
  const binary = which('supervisord')
  if (!binary) return undefined
  const folder = mkdtempSync(join(ctx.folder, 'supervisor-'))
  const config = join(folder, 'supervisord.conf')
  const socket = join(folder, 'supervisor.sock')
  writeFileSync(
    config,
    `[unix_http_server]
file=${socket}
[supervisord]
logfile=${folder}/log
pidfile=${folder}/pid
childlogdir=${folder}
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
${sleepers(count)}`,
  )
  const begun = performance.now()
  const child = spawn(binary, ['-c', config], { stdio: 'ignore' })
  ctx.onEnd(() => end(child))
  await until('supervisord', () => sleepersOf(child.pid).length === count)
  const upMs = performance.now() - begun
  return { pid: child.pid, config, upMs, stop: () => end(child) }
}
