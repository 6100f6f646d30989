import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { delimiter, isAbsolute } from 'node:path'
import { codeOf, messageOf } from '../../lib/errors.ts'
import { lookUpUser } from '../../lib/users.ts'
import type { ProcessSpec } from '../../model/program-spec.ts'

export type Command =
  | { readonly ok: true; readonly file: string; readonly args: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/**
 * What is executed for a process. Node can set neither the umask nor the supplementary groups of a
 * child, so where one is asked for, sh or setpriv (util-linux) do it and then become the program:
 * its pid stays the same.
 * @param environment what the program itself will have
 */
export async function commandOf(
  spec: ProcessSpec,
  environment: Readonly<Record<string, string>>,
): Promise<Command> {
  const [name, ...args] = spec.argv
  const folder = checkFolder(spec.directory)
  if (folder !== undefined) return refuse(folder)
  const found = findExecutable(name, spec.directory ?? '.', environment['PATH'] ?? '')
  if (!found.ok) return found
  let argv: readonly string[] = [found.file, ...args]
  if (spec.user !== undefined) {
    const become = await asUser(spec.user)
    if (!become.ok) return become
    argv = [...become.prefix, ...argv]
  }
  if (spec.umask !== undefined) argv = [...withUmask(spec.umask, environment['PWD']), ...argv]
  const [file = '', ...rest] = argv
  return { ok: true, file, args: rest }
}

/** sh changes PWD; this restores it. */
function withUmask(umask: number, pwd: string | undefined): readonly string[] {
  const sh = (restore: string) => ['/bin/sh', '-c', `umask "$0" && ${restore} && exec "$@"`]
  const mask = umask.toString(8)
  return pwd === undefined ? [...sh('unset PWD'), mask] : [...sh('PWD=$1 && shift'), mask, pwd]
}

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason }
}

function checkFolder(directory: string | undefined): string | undefined {
  if (directory === undefined) return undefined
  try {
    if (!statSync(directory).isDirectory()) return `directory ${directory} is no directory`
    accessSync(directory, constants.X_OK)
    return undefined
  } catch (error) {
    return `cannot change to directory ${directory}: ${messageOf(error)}`
  }
}

/**
 * As execvp(3) looks, but before there is a child, so that what is wrong can be said. Our own folder
 * is not looked up: it may be gone, as after a deployment, and is rarely needed.
 */
function findExecutable(name: string, directory: string, path: string): Command {
  const places = name.includes('/')
    ? [isAbsolute(name) ? name : `${directory}/${name}`]
    : path.split(delimiter).map(folder => `${folder === '' ? directory : folder}/${name}`)
  let there: string | undefined
  for (const file of places) {
    const kind = kindOf(file)
    if (kind === 'folder' && name.includes('/')) return refuse(`command at ${file} is a folder`)
    if (kind !== 'file') continue
    there ??= file
    if (isExecutable(file)) return { ok: true, file, args: [] }
  }
  if (there !== undefined) return refuse(`command at ${there} is not executable`)
  return refuse(`can't find command ${name}`)
}

/** A path that we may not look into counts as missing, as for execvp(3). */
function kindOf(file: string): 'file' | 'folder' | 'none' {
  try {
    return statSync(file).isDirectory() ? 'folder' : 'file'
  } catch {
    return 'none'
  }
}

/** What the kernel meant when it refused to execute a file that is there. */
export function whyNotStarted(error: unknown, file: string): string {
  if (codeOf(error) !== 'ENOENT' || kindOf(file) === 'none') return messageOf(error)
  const interpreter = interpreterOf(file)
  return interpreter === undefined
    ? `command at ${file} needs a loader that is not there`
    : `command at ${file} names an interpreter that is not there: ${interpreter}`
}

function interpreterOf(file: string): string | undefined {
  const buffer = Buffer.alloc(256)
  try {
    const fd = openSync(file, 'r')
    try {
      const [line = ''] = buffer.toString('utf8', 0, readSync(fd, buffer)).split('\n')
      // A script from Windows names an interpreter that ends in a carriage return.
      return /^#!\s*(\S+)/.exec(line.replace(/\r$/, '\\r'))?.[1]
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

type Prefix = { readonly ok: true; readonly prefix: readonly string[] }

async function asUser(
  name: string,
): Promise<Prefix | { readonly ok: false; readonly reason: string }> {
  try {
    const { uid, gid } = await lookUpUser(name)
    const own = process.getuid?.()
    if (own !== 0)
      return own === uid
        ? { ok: true, prefix: [] }
        : refuse(`cannot become user ${name}: taskd does not run as root`)
    const setpriv = findExecutable('setpriv', '/', '/usr/bin:/bin:/usr/sbin:/sbin')
    if (!setpriv.ok) return refuse(`cannot become user ${name}: apt-get install util-linux`)
    const flags = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--']
    return { ok: true, prefix: [setpriv.file, ...flags] }
  } catch (error) {
    return refuse(messageOf(error))
  }
}
