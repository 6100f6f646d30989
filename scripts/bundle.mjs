// Puts src/ into few files, so that a process starts quickly. What is imported when it is needed has
// files of its own; the entries are found where their sources are.
import { readdirSync, rmSync, statSync } from 'node:fs'
import { build } from 'esbuild'
import { OPTIONS } from './esbuild-options.mjs'

const { metafile } = await build({
  ...OPTIONS,
  entryPoints: ['src/cli/main.ts', 'src/workers/main.ts'],
  outdir: 'dist',
  outbase: 'src',
  splitting: true,
  // Two folders below the root, as each module is: see src/lib/shipped.ts.
  chunkNames: 'chunks/[name]-[hash]',
  sourcemap: true,
  sourcesContent: false,
  keepNames: true,
  minifySyntax: true,
  minifyWhitespace: true,
  metafile: true,
})

// A daemon that runs may still ask for files of the build before, until it is restarted.
const WEEK = 7 * 86_400_000
for (const name of readdirSync('dist/chunks')) {
  const file = `dist/chunks/${name}`
  if (
    !(file.replace(/\.map$/, '') in metafile.outputs) &&
    statSync(file).mtimeMs < Date.now() - WEEK
  )
    rmSync(file)
}

if (process.argv.includes('--sizes'))
  for (const [file, { bytes }] of Object.entries(metafile.outputs))
    if (file.endsWith('.js')) console.log(String(bytes).padStart(9), file)
