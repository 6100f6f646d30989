import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { selfSigned } from './certificate.ts'

export interface Mail {
  readonly from: string
  readonly to: readonly string[]
  readonly user: string
  readonly secure: boolean
  /** Headers and body as they came. */
  readonly text: string
}

export interface MailServer extends AsyncDisposable {
  readonly port: number
  readonly mails: Mail[]
}

/** A mail server on a free loopback port; user `taskd`, password `geheim`. */
export async function startMail(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: Mail[] = []
  const server = new SMTPServer({
    ...selfSigned(),
    authOptional: true,
    logger: false,
    disableReverseLookup: true,
    onAuth: ({ username, password }, _session, done) => {
      if (username === 'taskd' && password === 'geheim') done(null, { user: username })
      else done(new Error('Invalid username or password'))
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(one => one.address),
          user: session.user ?? '',
          secure: session.secure,
          text: Buffer.concat(parts).toString('utf8'),
        })
        done(null, `kept as ${mails.length}`)
      })
    },
    ...options,
  })
  // Clients that break off are part of the tests.
  server.on('error', () => undefined)
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  return {
    port: (listening.address() as AddressInfo).port,
    mails,
    [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())),
  }
}
