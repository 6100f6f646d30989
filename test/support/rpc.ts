import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Clock, realClock } from '../../src/lib/clock.ts'
import type { AllowedHost } from '../../src/model/rpc-allow.ts'
import { judge } from '../../src/model/run-result.ts'
import { type RunOptions, startRun } from '../../src/workers/runner.ts'
import { aTask } from './runs.ts'
import { type Handler, startWeb, type Web } from './web.ts'

export const LOOPBACK: AllowedHost = {
  kind: 'network',
  address: '127.0.0.1',
  bits: 32,
  family: 'ipv4',
}
const open: AsyncDisposable[] = []

/** Closes every server that was started here. */
export async function closeServers(): Promise<void> {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
}

export async function web(handle: Handler): Promise<Web> {
  const made = await startWeb(handle)
  open.push(made)
  return made
}

export interface Asked {
  readonly method?: string
  readonly url: string
  readonly args?: string
  readonly clock?: Clock
  readonly options?: Partial<RunOptions>
}

const noSpawner = () => Promise.reject(new Error('an rpc task is no process'))

/** Starts an rpc task; this machine is allowed unless `options` say otherwise. */
export function call({ method = 'GET', url, args = '', clock = realClock, options = {} }: Asked) {
  const task = aTask({ call: 'rpc', script: url, function: method, param: args, id: 'id-1' })
  const pids: number[] = []
  const run = startRun(
    {
      task,
      environment: { TASKD_ATTEMPT: '3' },
      maxRunTimeMs: 30_000,
      killWaitMs: 1000,
      php: 'php',
      rpcAllow: [LOOPBACK],
      onPid: pid => pids.push(pid),
      ...options,
    },
    noSpawner,
    clock,
  )
  return { ...run, pids, verdict: run.ending.then(judge) }
}

export const verdict = (asked: Asked) => call(asked).verdict

/** Does with each connection as told, once something has come on it. */
export async function rawServer(act: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => act(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  open.push({
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}
