import { connect, createServer } from 'node:net'

/** A port that nobody listens on, for somebody who must know it before he listens. */
export async function freePort() {
  const server = createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

/**
 * POSTs one body again and again, each connection the next one as soon as it has its answer. It
 * writes and reads the bytes itself: the time of a client that does more would be in the figure.
 * @param bodyOf the body of the n-th request
 * @returns requests per second
 */
export async function load({ port, path, bodyOf, count, connections }) {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)))
  let begun = 0
  const asking = async socket => {
    while (begun < count) {
      const body = bodyOf(begun)
      begun += 1
      await exchange(socket, path, body)
    }
  }
  const from = performance.now()
  await Promise.all(sockets.map(asking))
  const rate = (count * 1000) / (performance.now() - from)
  for (const socket of sockets) socket.destroy()
  return rate
}

function open(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.setEncoding('latin1')
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })
}

function exchange(socket, path, body) {
  return new Promise((resolve, reject) => {
    let text = ''
    const over = error => {
      socket.off('data', onData)
      socket.off('close', onClose)
      if (error) reject(error)
      else resolve()
    }
    const onClose = () => over(new Error(`${path}: the connection was closed`))
    const onData = part => {
      text += part
      const head = text.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1])
      if (Number.isNaN(length)) over(new Error(`${path}: no content-length`))
      else if (text.length < head + 4 + length) return
      else if (text.startsWith('HTTP/1.1 200 ')) over()
      else over(new Error(`${path}: ${text.slice(0, 500)}`))
    }
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  })
}
