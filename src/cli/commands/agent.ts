import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { AgentOptions } from '../../agent/main.ts'
import { messageOf, TaskdError } from '../../lib/errors.ts'
import { LOG_LEVELS } from '../../lib/log.ts'
import { type Command, type Context, type Options, text } from '../context.ts'
import { usageError } from '../exit.ts'
import { duration, wholeNumber } from '../numbers.ts'

export const run: Command = async (context, _args, options) => {
  const agent = readOptions(context, options)
  const { runAgent } = await import('../../agent/main.ts')
  return runAgent(agent)
}

const USUAL = { concurrency: 4, batch: 100 }

function readOptions(context: Context, options: Options): AgentOptions {
  const { env, cwd, out } = context
  const queue = text(options, 'queue') ?? ''
  const number = (name: string, usual: number, most: number) => {
    const value = text(options, name)
    return value === undefined ? usual : wholeNumber(value, `--${name}`, 1, most)
  }
  const time = (name: string, flag: string, usual: number) => {
    const value = text(options, name)
    return value === undefined ? usual : duration(value, flag)
  }
  const file = (name: string, flag: string) => {
    const path = text(options, name)
    return path === undefined ? undefined : readFile(resolve(cwd, path), flag)
  }
  const master = readMaster(text(options, 'master') ?? '')
  const secret = file('secretFile', '--secret-file')?.toString('utf8').trim() ?? env['TASKD_SECRET']
  if (secret && master.protocol === 'http:' && !isNear(master.hostname))
    out.note('taskd: note: over http:// the secret can be read on its way; use https:// and --ca')
  return {
    master,
    queue,
    secret: secret || undefined,
    ca: file('ca', '--ca'),
    concurrency: number('concurrency', USUAL.concurrency, 10_000),
    batch: number('batch', USUAL.batch, 5000),
    dataDir: resolve(cwd, text(options, 'data') ?? env['STATE_DIRECTORY'] ?? `data/agent-${queue}`),
    node: readNode(text(options, 'node') ?? nodeName()),
    php: text(options, 'php') ?? 'php',
    maxRunTimeMs: time('maxRunTime', '--max-run-time', 3_600_000),
    stopWaitMs: time('stopWait', '--stop-wait', 30_000),
    killWaitMs: time('killWait', '--kill-wait', 10_000),
    logLevel: choice(text(options, 'logLevel') ?? 'info', '--log-level', LOG_LEVELS),
    logFormat: choice(text(options, 'logFormat') ?? 'text', '--log-format', ['text', 'json']),
  }
}

function readMaster(written: string): URL {
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.search + url.hash + url.username === '')
    return url
  throw usageError(
    `--master ${JSON.stringify(written)} is no address of a master`,
    'write it as https://host:9595',
  )
}

/** It becomes a part of keys and of lines in a log. */
function readNode(name: string): string {
  if (/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]{0,99}$/u.test(name)) return name
  throw usageError(
    `--node ${JSON.stringify(name)} is not a name for a node`,
    'use up to 100 letters, digits and _ . -',
  )
}

function nodeName(): string {
  const name = hostname().replace(/[^\p{L}\p{N}_.-]/gu, '-')
  return name.slice(0, 100) || 'agent'
}

function readFile(path: string, flag: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new TaskdError('E_BAD_USAGE', `${flag} cannot be read: ${messageOf(error)}`)
  }
}

function choice<T extends string>(word: string, flag: string, words: readonly T[]): T {
  const found = words.find(one => one === word)
  if (found !== undefined) return found
  throw usageError(`${flag} ${JSON.stringify(word)} is not one of ${words.join(', ')}`)
}

function isNear(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.')
}
