import { createOutput } from '../../../src/cli/output.ts'
import { runCli } from '../../../src/cli/program.ts'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliWorld {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** As a terminal of that width would be. */
  readonly columns?: number
}

/** A command line in this process, as bin/taskd runs it. */
export async function cli(
  argv: readonly string[],
  { env = {}, cwd = '/nowhere', columns }: CliWorld = {},
): Promise<CliResult> {
  let stdout = ''
  let stderr = ''
  const terminal = columns === undefined ? {} : { isTTY: true, columns }
  const into = (add: (text: string) => void) => ({
    ...terminal,
    write: (text: string | Uint8Array) => {
      add(String(text))
      return true
    },
  })
  const out = createOutput(
    into(text => {
      stdout += text
    }),
    into(text => {
      stderr += text
    }),
    env,
  )
  const code = await runCli(argv, { env, cwd, out })
  return { code, stdout, stderr }
}
