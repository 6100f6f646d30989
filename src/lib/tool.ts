import { messageOf } from './errors.ts'

/** What a tool wrote, or in one line why it did not do its work. */
export type ToolResult =
  | { readonly ok: true; readonly stdout: string }
  | {
      readonly ok: false
      readonly reason: string
      /** Undefined when it did not start or was killed. */
      readonly exitCode: number | undefined
    }

const MAX_OUTPUT = 1024 * 1024

/**
 * Runs a tool of the system, such as mkfifo, to its end; never throws. The first call loads execa,
 * which a process without tools does not need.
 * @param file a path, or a name that is looked up in the PATH
 * @param limitMs after so long the tool is killed
 */
export async function runTool(
  file: string,
  args: readonly string[],
  limitMs: number,
): Promise<ToolResult> {
  try {
    const { execa } = await import('execa')
    const run = await execa(file, args, {
      stdin: 'ignore',
      timeout: limitMs,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_OUTPUT,
      reject: false,
      // Otherwise execa would listen to the signals that the daemon handles itself.
      cleanup: false,
    })
    if (!run.failed) return { ok: true, stdout: run.stdout }
    if (run.timedOut) return failed(`${file} took longer than ${limitMs / 1000} s`)
    const said = run.stderr.trim().split('\n').at(-1)
    return failed(said || run.originalMessage || `${file}: ${endOf(run)}`, run.exitCode)
  } catch (error) {
    return failed(`${file} cannot be run: ${messageOf(error)}`)
  }
}

function failed(reason: string, exitCode?: number): ToolResult {
  return { ok: false, reason, exitCode }
}

function endOf({ exitCode, signal }: { exitCode?: number; signal?: string }): string {
  return signal === undefined ? `exit code ${exitCode}` : `ended by ${signal}`
}
