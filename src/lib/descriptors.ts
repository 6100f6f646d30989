import { closeSync, readdirSync, readFileSync } from 'node:fs'

/** Set by bin/taskd: its pid, then the descriptors above 2 that it was started with. */
export const DESCRIPTORS_VARIABLE = 'TASKD_DESCRIPTORS'

/** A flag in /proc/PID/fdinfo/FD, octal there (proc(5)). */
const CLOSE_ON_EXEC = 0o2000000

/**
 * Closes the descriptors that our parent left open, except 0, 1 and 2: a daemon that keeps them holds
 * that lock, pipe or port for as long as it and its children live. Node marks the first 15 to close
 * in its children (uv_disable_stdio_inheritance), so afterwards only bin/taskd can tell which of
 * those are not Node's own; the others lack that mark, which all that Node opens has.
 * @param env the variable is read and removed, since it holds for this process alone
 */
export function closeInherited(env: NodeJS.ProcessEnv): void {
  const [pid, ...listed] = (env[DESCRIPTORS_VARIABLE] ?? '').split(' ').map(Number)
  delete env[DESCRIPTORS_VARIABLE]
  const inherited = [...(pid === process.pid ? listed : []), ...kept()]
  for (const fd of new Set(inherited))
    if (Number.isInteger(fd) && fd > 2)
      try {
        closeSync(fd)
      } catch {
        // It was closed before.
      }
}

/** The descriptors that our children would inherit. */
function kept(): number[] {
  try {
    return readdirSync('/proc/self/fdinfo').map(Number).filter(staysOpen)
  } catch {
    return []
  }
}

function staysOpen(fd: number): boolean {
  try {
    const [, flags] =
      /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? []
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0
  } catch {
    return false
  }
}
