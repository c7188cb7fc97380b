#!/usr/bin/env node
// What `bin` of package.json names: the command line, by way of Deno.
process.argv.splice(2, 0, "scripts/dibs.ts");
await import("./run.mjs");
