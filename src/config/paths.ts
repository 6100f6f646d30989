import { basename, dirname, isAbsolute, join, resolve } from 'node:path'

/** Where the parts of an installation lie, as seen from its configuration file. */
export interface Places {
  /** The folder of the main file: for data, logs and sockets. */
  readonly folder: string
  /** The folder that scripts are relative to: the one above `conf/`, or else that of the file. */
  readonly root: string
  readonly dataDir: string
  readonly tasks: string
}

/** @param file absolute */
export function placesOf(file: string): Places {
  const folder = dirname(file)
  const root = basename(folder) === 'conf' ? dirname(folder) : folder
  const inEtc = folder === '/etc' || folder.startsWith('/etc/')
  const dataDir = inEtc ? '/var/lib/taskd' : join(dirname(folder), 'data')
  return { folder, root, dataDir, tasks: join(dirname(folder), 'tasks') }
}

/** A program may be a path, or a bare name that is looked up in the PATH. */
export function resolveProgram(name: string, base: string): string {
  return name.includes('/') && !isAbsolute(name) ? resolve(base, name) : name
}
