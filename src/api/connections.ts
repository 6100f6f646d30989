import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The connections of a server, and which of them have unfinished answers. */
export class Connections {
  /** Under TLS there are two for one connection, the one within the other. */
  readonly #sockets = new Set<Socket>()
  readonly #answers = new Map<Socket, Set<ServerResponse>>()

  open(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#answers.delete(socket)
    })
  }

  /** A request has come on it. */
  asked(socket: Socket, response: ServerResponse): void {
    const answers = this.#answers.get(socket) ?? new Set()
    this.#answers.set(socket, answers)
    answers.add(response)
    response.once('close', () => answers.delete(response))
  }

  /** Whether anything of an answer has gone out on it, or might in a moment. */
  hasBegun(socket: Socket): boolean {
    return [...(this.#answers.get(socket) ?? [])].some(response => response.headersSent)
  }

  /**
   * Called when nothing was sent or received for a while. A client that waits for an answer may wait
   * on; one that does not read its answer, or has asked for nothing, is disconnected.
   */
  onQuiet(socket: Socket, againMs: number): void {
    if (this.#waits(socket) && socket.writableLength === 0) socket.setTimeout(againMs)
    else socket.destroy()
  }

  /** Closes those that wait for nothing. @param of which sockets requests come on */
  closeIdle(of: (socket: Socket) => boolean): void {
    for (const socket of this.#sockets) if (of(socket) && !this.#waits(socket)) socket.destroy()
  }

  closeAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #waits(socket: Socket): boolean {
    return (this.#answers.get(socket)?.size ?? 0) > 0
  }
}
