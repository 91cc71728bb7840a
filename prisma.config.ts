import { defineConfig } from 'prisma/config';

/** For Prisma's own CLI (`prisma migrate deploy`, `prisma studio`); chorale itself applies its migrations at start. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
