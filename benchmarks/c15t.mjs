// c15t's consent backend, as its documentation sets it up, over the database that DATABASE_URL names; says when it listens.
import { serve } from '@hono/node-server';
import { c15tInstance } from '@c15t/backend';
import { kyselyAdapter } from '@c15t/backend/db/adapters/kysely';
import { migrator } from '@c15t/backend/db/migrator';
import { DB } from '@c15t/backend/db/schema';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const adapter = kyselyAdapter({ db: new Kysely({ dialect: new PostgresDialect({ pool }) }), provider: 'postgresql' });
const migration = await migrator({ db: DB.client(adapter), schema: 'latest' });
await migration.execute();
const told = { appName: 'beside', basePath: '/', trustedOrigins: ['http://localhost'], adapter, logger: { level: 'error' } };
const where = { fetch: c15tInstance(told).handler, hostname: '127.0.0.1', port: Number(process.env.PORT) };
serve(where, () => console.log('ready'));
