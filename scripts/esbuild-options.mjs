/** How what we bundle is made, the daemon as well as what tests and benchmarks run as processes. */
export const OPTIONS = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.17',
  logLevel: 'warning',
  // A native addon; what finds its own files; what is there only if somebody has installed it.
  external: ['libsql', 'jiti', 'pg-native'],
  // Packages in CommonJS ask for others by `require`.
  banner: {
    js: "import { createRequire as $require } from 'node:module'; const require = $require(import.meta.url);",
  },
}
