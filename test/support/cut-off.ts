import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { tempDir } from './temp-dir.ts'

/** A way to a server on a unix socket that can be cut as a network is: nobody is told, nothing passes. */
export interface CutOff extends AsyncDisposable {
  /** For `redis =`. */
  readonly url: string
  cut(): void
  heal(): void
}

export async function wayTo(path: string): Promise<CutOff> {
  const folder = tempDir('taskd-way-')
  const mine = join(folder.path, 'way.sock')
  const sockets = new Set<Socket>()
  let isCut = false
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    if (isCut) from.pause()
    from.on('data', data => to.write(data))
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer(near => {
    const far = connect(path)
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>(resolve => server.listen(mine, resolve))
  return {
    url: `unix:${mine}`,
    cut() {
      isCut = true
      for (const socket of sockets) socket.pause()
    },
    heal() {
      isCut = false
      for (const socket of sockets) socket.resume()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
      await folder.remove()
    },
  }
}
