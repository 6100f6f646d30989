import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childrenOf, end, nameOf, until, which } from './proc.mjs'

/** A supervisord of our own with one `sleep infinity`; undefined when it is not installed. */
export async function startSupervisor(ctx) {
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
[program:sleeper]
command=sleep infinity
autorestart=true
startsecs=0
`,
  )
  const child = spawn(binary, ['-c', config], { stdio: 'ignore' })
  ctx.onEnd(() => end(child))
  await until('supervisord', () => childrenOf(child.pid).some(pid => nameOf(pid) === 'sleep'))
  return { pid: child.pid, config, stop: () => end(child) }
}
