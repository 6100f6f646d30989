import { hideCompileCache } from '../lib/compile-cache.ts'
import { createOutput } from './output.ts'
import { runCli } from './program.ts'
import { takeSecrets } from './secret-variables.ts'

// `taskd fails | head`: the reader has seen enough, which is not an error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })

const env = takeSecrets(process.env)
hideCompileCache(process.env)
process.exitCode = await runCli(process.argv.slice(2), {
  env,
  cwd: process.cwd(),
  out: createOutput(process.stdout, process.stderr, env),
})
