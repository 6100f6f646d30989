import { join } from 'node:path'
import { createApp } from '../../../src/api/app.ts'
import { createClient } from '../../../src/api/client.ts'
import type { Control } from '../../../src/api/control.ts'
import { SocketServer } from '../../../src/api/listen.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type FakeControl, fakeControl } from './fake-control.ts'

export interface FakeDaemon extends AsyncDisposable {
  readonly control: FakeControl
  readonly socket: string
  /** The folder of the socket. */
  readonly dir: string
  readonly client: Control
  readonly server: SocketServer
  /** What was logged as unexpected. */
  readonly logged: unknown[][]
}

/** The real API on a real socket, in front of a Control that only remembers. */
export async function serveFake(answers: Partial<Control> = {}): Promise<FakeDaemon> {
  const dir = tempDir('taskd-api-')
  const control = fakeControl(answers)
  const socket = join(dir.path, 'taskd.sock')
  const logged: unknown[][] = []
  const app = createApp(control, { error: (...args: unknown[]) => void logged.push(args) })
  const server = new SocketServer({ app, path: socket, closeLimitMs: 200 })
  await server.start()
  return {
    control,
    socket,
    dir: dir.path,
    client: createClient(socket),
    server,
    logged,
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      await dir.remove()
    },
  }
}
