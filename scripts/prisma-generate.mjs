/**
 * `npm run generate`: the Prisma client and the Pothos types of prisma/schema.prisma, into src/store/generated.
 *
 * Prisma's CLI looks for a native schema engine even for `generate`, which does not use it, and downloads it from
 * a host that many company networks block. Naming any executable as that engine stops the search (tried with
 * 7.10), so a machine that reaches only the npm registry can do this. Does nothing when schema and generators are
 * those of the last run; `--force` generates anyway.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packages = join(root, 'node_modules');
const schema = join(root, 'prisma', 'schema.prisma');
const output = join(root, 'src', 'store', 'generated');
const stamp = join(output, '.inputs');

/** Changes when the schema, a generator's version or this script does. */
function inputsDigest() {
  const hash = createHash('sha256')
    .update(readFileSync(schema))
    .update(readFileSync(fileURLToPath(import.meta.url)));
  for (const name of ['prisma', '@prisma/client', '@pothos/plugin-prisma']) {
    hash.update(`${name}@${JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8')).version}`);
  }
  return hash.digest('hex');
}

const digest = inputsDigest();
const upToDate = existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
if (!upToDate || process.argv.includes('--force')) {
  // Away first: without a stamp, a generation that was cut short is done again.
  rmSync(stamp, { force: true });
  const prisma = join(packages, 'prisma', 'build', 'index.js');
  const run = spawnSync(process.execPath, [prisma, 'generate', '--schema', schema, '--no-hints'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      // Finds `prisma-pothos-types` also when this script is run without npm.
      PATH: `${join(packages, '.bin')}${delimiter}${process.env.PATH ?? ''}`,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  });
  if (run.status !== 0) {
    process.stderr.write(
      `${run.stdout ?? ''}${run.stderr ?? ''}${run.error ? `${run.error.message}\n` : ''}`,
    );
    process.exit(run.status ?? 1);
  }
  writeFileSync(stamp, digest);
}
