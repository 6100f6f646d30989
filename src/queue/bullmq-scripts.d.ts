/** The engine's scripts, which its types leave out. */
declare module 'bullmq/dist/cjs/scripts/index.js' {
  const scripts: Record<string, { readonly name: string; readonly keys: number; content: string }>
  export default scripts
}
